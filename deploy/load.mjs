// Load for the three gateways of compose.yaml, in turn, at three times the provider's quota; and once a second what came of
// it, the provider's own count included. Plain JavaScript that needs nothing beside Node, as the image holds nothing else.
const gateways = (process.env.GATEWAYS ?? "").split(" ");
const stats = process.env.STATS ?? "";
const perSecond = Number(process.env.PER_SECOND ?? 30);
const headers = { authorization: `Bearer ${process.env.TEAM_A_KEY}`, "content-type": "application/json" };
const body = JSON.stringify({ model: "chat", messages: [{ role: "user", content: "Hello" }] });

const count = { sent: 0, served: 0, "told to wait": 0, failed: 0 };

/** 429 is the gateways' own word: of the provider's refusals only its own count tells for sure. */
async function ask(gateway) {
  count.sent += 1;
  try {
    const answer = await fetch(`${gateway}/v1/chat/completions`, { method: "POST", headers, body });
    await answer.text();
    count[answer.ok ? "served" : answer.status === 429 ? "told to wait" : "failed"] += 1;
  } catch {
    // It was killed, or is not there.
    count.failed += 1;
  }
}

async function tell() {
  const ours = Object.entries(count).map(([what, times]) => `${times} ${what}`);
  try {
    const { requests } = await (await fetch(stats)).json();
    console.log(
      `${ours.join(", ")}; the provider let in ${requests.admitted} and refused ${requests.refused}`,
    );
  } catch {
    console.log(`${ours.join(", ")}; the provider does not say`);
  }
}

let turn = 0;
setInterval(() => void ask(gateways[(turn += 1) % gateways.length]), 1000 / perSecond);
setInterval(() => void tell(), 1000);
// As the first process of its container it gets no signal that it does not ask for.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(0));
