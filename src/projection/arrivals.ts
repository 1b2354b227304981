/** What has arrived as which; 0 once it has left. */
export type Arrived = { readonly order: number };

/** So many places of those that left are kept at the least. */
const SLACK = 1_024;

/** Things in the order in which they arrived; what arrives anew leaves first. What has left is passed over. */
export class Arrivals<T extends Arrived> {
  /** Ascending by order; empty where what arrived has left. */
  #places: (T | undefined)[] = [];
  #orders: number[] = [];

  /** Adds what has just arrived, of `size` that are there now. */
  add(arrived: T, size: number): void {
    this.#places.push(arrived);
    this.#orders.push(arrived.order);
    if (this.#places.length <= 2 * size + SLACK) return;
    const { places, orders } = { places: this.#places, orders: this.#orders };
    // Whoever walks over the former ones goes on doing so.
    const left = places.filter((place, i) => place !== undefined && place.order === orders[i]);
    this.#places = left;
    this.#orders = left.flatMap((place) => place?.order ?? []);
  }

  /** What arrived as `order` leaves, and is held no more: its place alone stays for a while. */
  leave(order: number): void {
    let low = 0;
    let high = this.#orders.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#orders[middle] ?? Infinity) < order) low = middle + 1;
      else high = middle;
    }
    if (this.#orders[low] === order) this.#places[low] = undefined;
  }

  /** Those that are there, the newest first. What arrives meanwhile is not met. */
  *newestFirst(): Generator<T, undefined, undefined> {
    const { places, orders } = { places: this.#places, orders: this.#orders };
    for (let i = places.length - 1; i >= 0; i--) {
      const place = places[i];
      if (place !== undefined && place.order === orders[i]) yield place;
    }
  }
}
