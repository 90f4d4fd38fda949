// Who a replica is, and how far it has come with those who are gone.

/** Who this replica is. */
export interface Identity {
  readonly id: string;
  readonly boot: number;
  /** The boot since which its disk has not gone back in time. */
  readonly soundSince: number;
}

/** How far a member is with those who are gone (see farewell.ts). */
export interface Age {
  readonly era: number;
  readonly forgotten: number;
}

export const NO_AGE: Age = { era: 0, forgotten: 0 };
