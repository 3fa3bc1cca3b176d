// Command load measures the server: it holds a mock of the upstreams, a bare
// reverse proxy to compare with, and drivers that report ratios between them.
// Nothing here is part of the server. scripts/bench runs all of it.
package main

import (
	"fmt"
	"os"
)

// commands are the verbs, each with its own flags.
func commands() map[string]func(args []string) error {
	return map[string]func([]string) error{
		"mock":    mock,
		"proxy":   proxy,
		"lab":     lab,
		"run":     run,
		"streams": streams,
		"cancel":  cancel,
		"static":  static,
		"list":    list,
		"pace":    pace,
		"start":   start,
		"figures": figures,

		"documents": documents,
		"pdf":       pdf,
		"bulk":      bulk,
		"large":     large,
		"gobench":   gobench,
	}
}

func main() {
	all := commands()
	if len(os.Args) < 2 || all[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: load mock|proxy|lab|static|run|list|pace|streams|cancel|start|documents|pdf|bulk|large|gobench|figures [flags]; -h after a verb lists its flags")
		os.Exit(2)
	}
	if err := all[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "load "+os.Args[1]+":", err)
		os.Exit(1)
	}
}
