import { assertEquals, assertRejects } from "@std/assert";
import { Block } from "../../src/projection/block.ts";
import { SharedPages } from "../../src/projection/shared_pages.ts";

/** A reader that counts how often it was asked, and reads up to there. */
function readerUpTo(through: () => number) {
  const reader = {
    asked: 0,
    read: () => {
      reader.asked++;
      return Promise.resolve({ block: new Block(), through: through(), missedTo: 0 });
    },
  };
  return reader;
}

Deno.test("a page is read once for all who want it", async () => {
  const pages = new SharedPages();
  const reader = readerUpTo(() => 9);
  await Promise.all([pages.page("key", 0, reader.read), pages.page("key", 0, reader.read)]);
  await pages.page("key", 0, reader.read);
  assertEquals(reader.asked, 1);
});

Deno.test("a page that has nothing yet is not kept: it is read again, and has what came meanwhile", async () => {
  const pages = new SharedPages();
  let head = 5;
  const reader = readerUpTo(() => head);
  assertEquals((await pages.page("key", 5, reader.read)).through, 5);
  head = 8;
  assertEquals((await pages.page("key", 5, reader.read)).through, 8);
});

Deno.test("a page that could not be read is read again", async () => {
  const pages = new SharedPages();
  await assertRejects(() => pages.page("key", 0, () => Promise.reject(new Error("away"))));
  assertEquals((await pages.page("key", 0, readerUpTo(() => 3).read)).through, 3);
});

Deno.test("a page of what retention took is kept no longer, one of which anything is left is", async () => {
  const pages = new SharedPages();
  const [gone, left] = [readerUpTo(() => 5), readerUpTo(() => 9)];
  const read = async () => {
    await pages.page("gone", 0, gone.read);
    await pages.page("left", 5, left.read);
  };
  await read();
  pages.expire(6);
  await read();
  assertEquals([gone.asked, left.asked], [2, 1]);
});
