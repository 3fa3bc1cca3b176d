// Command portico is the server and its tools; see portico --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"portico/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal drains. Letting go of them makes the second one end the
	// process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, cli.Env{
		Args: os.Args[1:], Environ: os.Environ(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}
