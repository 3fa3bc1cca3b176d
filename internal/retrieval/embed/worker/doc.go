// Package worker runs bulk embedding in a niced child of the same binary, so
// that its kernels never starve the streams of the server.
package worker
