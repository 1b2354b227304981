import type { Block } from "./block.ts";

/**
 * A page of the log as it was read, for readers of any cursor; `through` is the position up to which none is missing but
 * what retention took, up to `missedTo`.
 */
export type SharedPage = { readonly block: Block; readonly through: number; readonly missedTo: number };

const MAX_PAGES = 256;
const MAX_BYTES = 67_108_864;

/** Pages that are read once for all who want them. At either bound the oldest are forgotten, and read again if wanted. */
export class SharedPages {
  /** The oldest first, and what each weighs once it was read. */
  readonly #pages = new Map<string, { readonly page: Promise<SharedPage>; through: number; bytes: number }>();

  /**
   * The page of this key, which begins after `after`, read now unless it was. One that could not be read is not kept, nor one
   * that has nothing yet: the log goes on.
   */
  page(key: string, after: number, read: () => Promise<SharedPage>): Promise<SharedPage> {
    const known = this.#pages.get(key);
    if (known !== undefined) return known.page;
    const shared = { page: read(), through: Infinity, bytes: 0 };
    this.#pages.set(key, shared);
    shared.page.then(({ block, through }) => {
      if (through <= after) return void this.#pages.delete(key);
      shared.through = through;
      shared.bytes = block.bytes;
      this.#forget();
    }, () => this.#pages.delete(key));
    return shared.page;
  }

  /** Lets go of the pages of which the log has nothing any more, its first retained position being `firstSeq`. */
  expire(firstSeq: number): void {
    for (const [key, { through }] of this.#pages) if (through < firstSeq) this.#pages.delete(key);
  }

  #forget(): void {
    let bytes = 0;
    for (const shared of this.#pages.values()) bytes += shared.bytes;
    for (const [oldest, shared] of this.#pages) {
      if (this.#pages.size <= MAX_PAGES && bytes <= MAX_BYTES) break;
      this.#pages.delete(oldest);
      bytes -= shared.bytes;
    }
  }
}
