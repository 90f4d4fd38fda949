# syntax=docker/dockerfile:1
# Two stages: the first installs what production needs, the second holds Node, that, and the source, which Node runs as
# it is. Build: docker build -t sluice .
# Run:   docker run --read-only -p 8787:8787 -v sluice-data:/data -v ./sluice.yaml:/etc/sluice/sluice.yaml:ro sluice

FROM node:24-slim AS install
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# `npm ci` refuses a lockfile without the optional packages of other platforms; the lockfile pins every version anyway.
# No install scripts: lmdb comes with its compiled library as a package of this platform.
RUN npm install --omit=dev --ignore-scripts --no-audit --no-fund && mkdir /data

FROM node:24-slim
LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="An LLM gateway whose provider quotas hold across a whole fleet" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
COPY --from=install /app/node_modules /app/node_modules
# The data folder belongs to the user, so that a new volume mounted there does too.
COPY --from=install --chown=node:node /data /data
COPY package.json LICENSE /app/
COPY providers /app/providers
COPY src /app/src

# The only place that is ever written to; everything else can be read-only.
VOLUME /data
# `./sluice.yaml` is read from here.
WORKDIR /etc/sluice
# By number, so that a cluster can tell that it is not root.
USER 1000:1000
EXPOSE 8787 8788
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8787/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/src/main.ts"]
CMD ["start", "--listen", "0.0.0.0:8787", "--data-dir", "/data"]
