import type { Partition } from "../protocol/partitions.ts";
import { parsedBy, type Reads } from "./rules.ts";

const MOST_PARTITIONS = 1_000;

/** `2/4`: the partition with the number 2 of 0 to 3. */
export function partition(): Reads<Partition> {
  return parsedBy(parse, {
    rule: `must be a partition and how many there are, such as 0/4 to 3/4, ${MOST_PARTITIONS} at most`,
    meaning:
      "the part of the tasks that this gateway follows, each in a stream of its own; unset: all of them",
  });
}

function parse(text: string): Partition | undefined {
  const [, partition, partitions] = /^(\d{1,4})\/(\d{1,4})$/.exec(text)?.map(Number) ?? [];
  if (partition === undefined || partitions === undefined) return undefined;
  return partition < partitions && partitions <= MOST_PARTITIONS ? { partition, partitions } : undefined;
}
