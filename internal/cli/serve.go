package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portico/internal/config"
	"portico/internal/server"
)

func serveCommand(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve until a signal comes; the first one lets streams end, the second one ends at once",
		Long: "Serve until SIGINT or SIGTERM comes. Then /ready says no, new requests get 503, and open\n" +
			"streams have SHUTDOWN_TIMEOUT to end. A second signal ends the process at once.",
		Example: "  portico serve\n  portico serve --port 8080 --data-dir /var/lib/portico\n  portico serve --healthcheck",
	}
	for _, v := range config.Table() {
		if v.Flag != "" && v.Flag != "data-dir" && v.Flag != "database-url" {
			c.Flags().String(v.Flag, "", fmt.Sprintf("%s (%s)", strings.ReplaceAll(v.Doc, "`", ""), v.Name))
		}
	}
	check := c.Flags().Bool("healthcheck", false, "ask the server at PORT whether it is alive, and end")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(cmd, env)
		if err != nil {
			return err
		}
		if *check {
			return healthcheck(cmd.Context(), cfg)
		}
		cfg.LogTo = env.Stderr
		s, err := server.New(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		shown := make(chan struct{})
		go func() {
			defer close(shown)
			announce(cmd, cfg, s)
		}()
		err = s.Run(cmd.Context())
		<-shown
		return err
	}
	return c
}

// alivePatience is how long a server may take to say that it is alive.
const alivePatience = 3 * time.Second

// healthcheck is for images without curl.
func healthcheck(ctx context.Context, cfg *config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, alivePatience)
	defer cancel()
	return server.Alive(ctx, reachable(cfg.Host, cfg.Port))
}

// reachable is the address under which this machine reaches a server.
func reachable(host string, port int) string {
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, strconv.Itoa(port))}
	return u.String()
}

// block is what a start prints.
type block struct {
	Address string   `json:"address"`
	Setup   string   `json:"setup,omitempty"`
	Data    string   `json:"data"`
	DB      string   `json:"database"`
	Metrics string   `json:"metrics,omitempty"`
	Found   []string `json:"found"`
}

// findTime is how long the block waits for the first answers of upstreams. The
// server serves all the while.
const findTime = 700 * time.Millisecond

// announce prints what somebody who has just started the server needs. As JSON
// it comes at once; for people, after a short look at what is there.
func announce(cmd *cobra.Command, cfg *config.Config, s *server.Server) {
	port := cfg.Port
	if a, ok := s.Addr().(*net.TCPAddr); ok {
		port = a.Port
	}
	b := block{Address: reachable(cfg.Host, port), Data: cfg.DataDir, DB: cfg.DatabaseName(), Found: []string{}}
	if a := s.MetricsAddr(); a != nil {
		b.Metrics = "http://" + a.String() + "/metrics"
	}
	if someone, err := s.Auth.Populated(cmd.Context()); err == nil && !someone && cfg.Auth {
		if link, err := s.Auth.SetupLink(b.Address); err == nil {
			b.Setup = link
		}
	}
	if jsonWanted(cmd) {
		_ = json.NewEncoder(cmd.OutOrStdout()).Encode(b)
		return
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), findTime)
	defer cancel()
	b.Found = s.Found(ctx)
	b.print(cmd.OutOrStdout())
}

func (b block) print(w io.Writer) {
	rows := [][2]string{{"Address", b.Address}}
	if b.Setup != "" {
		rows = append(rows, [2]string{"Set up", b.Setup}, [2]string{"", "works once, for 30 minutes; the first account is the administrator"})
	}
	rows = append(rows, [2]string{"Data", b.Data})
	if b.Metrics != "" {
		rows = append(rows, [2]string{"Metrics", b.Metrics})
	}
	for i, f := range b.Found {
		label := "Models"
		if i > 0 {
			label = ""
		}
		rows = append(rows, [2]string{label, f})
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n  Portico %s\n\n", config.Version)
	for _, r := range rows {
		fmt.Fprintf(&out, "  %-9s %s\n", r[0], r[1])
	}
	out.WriteString("\n")
	_, _ = io.WriteString(w, out.String())
}
