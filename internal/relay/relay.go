// Package relay carries a stream of ready-made blocks from an upstream to the
// client: head first, a flush per block, a deadline on every write, the
// upstream stopped the moment the client is gone. A stream that lives long is
// parked: taken out of net/http's hands, so that it costs a few KiB instead of
// tens, and its connection handed back to the server when the answer ends.
// It knows nothing of what the blocks say.
package relay
