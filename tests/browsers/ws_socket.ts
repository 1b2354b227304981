/** The WebSocket of the package `ws`, for a Node that has none of its own: bundled for it. */
export { WebSocket as default } from "ws";
