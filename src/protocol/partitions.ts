/** One part of the tasks, from 0 on, and how many parts there are. */
export type Partition = { readonly partition: number; readonly partitions: number };

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const encoder = new TextEncoder();

/** Which of `partitions` a task is of: FNV-1a of its id, the one that NATS's `partition(n, …)` mapping takes. */
export function partitionOf(taskId: string, partitions: number): number {
  let hash = FNV_OFFSET;
  for (const byte of encoder.encode(taskId)) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return (hash >>> 0) % partitions;
}

/** Of which partition a task is, where that is another than `own`; undefined where it is that one. */
export function otherPartition(taskId: string, own: Partition): Partition | undefined {
  const partition = partitionOf(taskId, own.partitions);
  return partition === own.partition ? undefined : { partition, partitions: own.partitions };
}

/** A stream of NATS, and what the subjects of its records begin with. */
export type Place = { readonly stream: string; readonly prefix: string };

/** Where the events of one partition lie: `<stream>_<n>`, below `<prefix>.part.<n>`. Where all events do without one. */
export function placeOf({ stream, prefix }: Place, partition?: number): Place {
  return partition === undefined
    ? { stream, prefix }
    : { stream: `${stream}_${partition}`, prefix: `${prefix}.part.${partition}` };
}
