// A binary min-heap whose elements know their place in it, so that any of them can be taken out or moved in
// O(log n): deadlines of requests that leave early, lines whose next instant changes.

/** What lies in a heap keeps its index there; -1 while it lies in none. One element, one heap. */
export interface InHeap {
  heapIndex: number;
}

export class Heap<T extends InHeap> {
  readonly #elements: T[] = [];
  readonly #isBefore: (left: T, right: T) => boolean;

  constructor(isBefore: (left: T, right: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#elements.length;
  }

  /** The first element; undefined when the heap is empty. */
  get first(): T | undefined {
    return this.#elements[0];
  }

  /** Adds the element, or moves it after its order has changed. */
  put(element: T): void {
    if (element.heapIndex === -1) {
      element.heapIndex = this.#elements.length;
      this.#elements.push(element);
    }
    this.#rise(element);
    this.#sink(element);
  }

  /** Takes the element out; nothing happens when it is not in. */
  remove(element: T): void {
    const index = element.heapIndex;
    if (index === -1) return;
    const last = this.#elements.pop();
    element.heapIndex = -1;
    if (last === undefined || last === element) return;
    this.#place(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  #place(element: T, index: number): void {
    this.#elements[index] = element;
    element.heapIndex = index;
  }

  #rise(element: T): void {
    for (;;) {
      const index = element.heapIndex;
      const parent = index === 0 ? undefined : this.#elements[(index - 1) >> 1];
      if (parent === undefined || !this.#isBefore(element, parent)) return;
      this.#place(element, parent.heapIndex);
      this.#place(parent, index);
    }
  }

  #sink(element: T): void {
    for (;;) {
      const index = element.heapIndex;
      const left = this.#elements[2 * index + 1];
      const right = this.#elements[2 * index + 2];
      const child = right !== undefined && left !== undefined && this.#isBefore(right, left) ? right : left;
      if (child === undefined || !this.#isBefore(child, element)) return;
      this.#place(element, child.heapIndex);
      this.#place(child, index);
    }
  }
}
