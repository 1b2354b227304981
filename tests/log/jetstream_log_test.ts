import { describeEventLog } from "./contract.ts";
import { openBench } from "./jetstream_bench.ts";

describeEventLog("JetStream over nats://", (limits) => openBench("nats", limits));
describeEventLog("JetStream over ws://", (limits) => openBench("ws", limits));
