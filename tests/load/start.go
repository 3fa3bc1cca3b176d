package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// start runs a server several times and measures how soon it answers, what it
// takes when idle, and how large its program is.
func start(args []string) error {
	flags := flag.NewFlagSet("start", flag.ExitOnError)
	rounds := flags.Int("rounds", 7, "starts")
	idle := flags.Duration("idle", 5*time.Second, "time before memory is read, at the last start")
	flags.Parse(args)
	if flags.NArg() != 1 {
		return fmt.Errorf("name the program")
	}
	data, err := os.MkdirTemp("", "load-start")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	var took []time.Duration
	var first time.Duration
	var kib int
	for round := range *rounds + 1 {
		wait := time.Duration(0)
		if round == *rounds {
			wait = *idle
		}
		d, rss, err := startOnce(flags.Arg(0), data, wait)
		if err != nil {
			return err
		}
		if round == 0 {
			first = d // makes the database
			continue
		}
		took, kib = append(took, d), rss
	}
	slices.Sort(took)
	size, err := os.Stat(flags.Arg(0))
	if err != nil {
		return err
	}
	median := float64(took[len(took)/2].Microseconds()) / 1000
	rss, mib := float64(kib)/1024, float64(size.Size())/(1<<20)
	fmt.Printf("start: %.1f ms to the first answer (median of %d; %v when it makes its database), %.1f MiB resident when idle, program %.1f MiB\n",
		median, len(took), first.Round(time.Millisecond), rss, mib)
	return record(atMost("cold start", median, "ms", 50), atMost("idle memory", rss, "MB", 25), atMost("program", mib, "MB", 30))
}

func startOnce(program, data string, idle time.Duration) (took time.Duration, kib int, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	cmd := exec.Command(program, "serve")
	cmd.Env = append(os.Environ(), "PORT="+port, "HOST=127.0.0.1", "DATA_DIR="+data, "LOG_LEVEL=warning", "ENABLE_OLLAMA_API=false")
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() }()
	for {
		resp, err := http.Get("http://127.0.0.1:" + port + "/health")
		if err == nil {
			resp.Body.Close()
			break
		}
		if time.Since(began) > 20*time.Second {
			return 0, 0, fmt.Errorf("no answer: %w", err)
		}
		time.Sleep(500 * time.Microsecond)
	}
	took = time.Since(began)
	time.Sleep(idle)
	kib, err = resident(cmd.Process.Pid)
	return took, kib, err
}
