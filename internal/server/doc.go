// Package server is the composition root: it builds every room from the
// configuration, listens, drains and stops. It alone imports adapters.
package server
