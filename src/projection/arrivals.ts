/** What has arrived as which; 0 once it has left. */
export type Arrived = { readonly order: number };

/** So many places of those that left are kept at the least. */
const SLACK = 1_024;

/** Things in the order in which they arrived. What arrives anew is where it came last; what has left is passed over. */
export class Arrivals<T extends Arrived> {
  #places: T[] = [];
  #orders: number[] = [];

  /** Adds what has just arrived, of `size` that are there now. */
  add(arrived: T, size: number): void {
    this.#places.push(arrived);
    this.#orders.push(arrived.order);
    if (this.#places.length <= 2 * size + SLACK) return;
    const { places, orders } = { places: this.#places, orders: this.#orders };
    // Whoever walks over the former ones goes on doing so.
    this.#places = places.filter(({ order }, i) => order === orders[i]);
    this.#orders = this.#places.map(({ order }) => order);
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
