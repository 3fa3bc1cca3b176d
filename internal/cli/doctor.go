package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"portico/internal/config"
	"portico/internal/server"
)

// finding is one check of doctor.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Note  string `json:"note"`
}

func doctorCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "doctor",
		Short:   "Look for what would keep the server from working; mends nothing",
		Long:    "Look for what would keep the server from working; mends nothing. Run it while the server is stopped.",
		Example: "  portico doctor\n  portico doctor --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd, env)
			if err != nil {
				return err
			}
			findings := examine(cmd.Context(), cfg)
			if err := show(cmd, findings, func(w io.Writer) {
				for _, f := range findings {
					mark := "ok  "
					if !f.OK {
						mark = "BAD "
					}
					_, _ = fmt.Fprintf(w, "%s %-12s %s\n", mark, f.Check, f.Note)
				}
			}); err != nil {
				return err
			}
			for _, f := range findings {
				if !f.OK {
					return errors.New("not everything is well: see above")
				}
			}
			return nil
		},
	}
}

func examine(ctx context.Context, cfg *config.Config) []finding {
	out := []finding{folder(cfg.DataDir), secret(cfg), port(cfg), files()}
	r, err := server.Look(ctx, cfg)
	if err != nil {
		return append(out, finding{"database", false, sentence(err)})
	}
	defer r.Close()
	out = append(out, finding{"database", true, cfg.DatabaseName() + " answers and its schema is current"})
	return append(out, connections(ctx, cfg, r)...)
}

// connections asks every upstream for its models.
func connections(ctx context.Context, cfg *config.Config, r *server.Rooms) (out []finding) {
	for _, c := range r.Check(ctx, cfg) {
		f := finding{"connection", c.Err == nil, c.String()}
		if c.Err != nil && c.Assumed {
			f.OK, f.Note = true, "no Ollama at its usual address, and none is configured"
		}
		out = append(out, f)
	}
	return out
}

func folder(dir string) finding {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return finding{"data folder", false, err.Error()}
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return finding{"data folder", false, "cannot be written to: " + err.Error()}
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	return finding{"data folder", true, dir + " can be written to"}
}

func secret(cfg *config.Config) finding {
	if cfg.SecretKey != "" {
		return finding{"secret", true, "WEBUI_SECRET_KEY is set"}
	}
	path := filepath.Join(cfg.DataDir, "secret.key")
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return finding{"secret", true, "will be made at the first start"}
	case err != nil:
		return finding{"secret", false, err.Error()}
	case info.Mode().Perm()&0o077 != 0:
		return finding{"secret", false, path + " can be read by others: chmod 600 it"}
	}
	return finding{"secret", true, path}
}

func port(cfg *config.Config) finding {
	l, err := net.Listen("tcp", cfg.Address())
	if err != nil {
		return finding{"port", false, cfg.Address() + " cannot be listened on; a server may be running"}
	}
	_ = l.Close()
	return finding{"port", true, cfg.Address() + " is free"}
}

func files() finding {
	n := server.OpenFiles()
	return finding{"open files", n >= 4096, fmt.Sprintf("limit %d: about %d streams at once", n, n/3)}
}
