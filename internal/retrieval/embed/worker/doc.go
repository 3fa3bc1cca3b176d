// Package worker runs bulk embedding in a niced child of the same binary, so
// that its kernels never starve the streams of the server. Questions stay in
// the server's process.
//
// Parent and child speak in frames over the child's standard input and output:
// a kind, the length of what follows as four bytes, and that. The parent opens
// with a frame 'o', the settings as JSON; each frame 't', texts, is answered by
// a frame 'v', vectors, or 'e', an error as JSON. The child ends with its input.
package worker
