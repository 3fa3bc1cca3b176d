package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"portico/internal/config"
	"portico/internal/errdefs"
	"portico/internal/server"
)

// finding is one check of doctor.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Note  string `json:"note"`
}

func doctorCommand(env *Env) *cobra.Command {
	var look fileLook
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what would keep the server from working",
		Long: "Look for what would keep the server from working; makes nothing, and mends nothing but uploaded files, with --mend.\n" +
			"Run it as the user of the server, while the server runs or before it does. Each line that is BAD says what to do.",
		Example: "  portico doctor\n  portico doctor --json\n  portico doctor --deep --mend",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd, env)
			if err != nil {
				return err
			}
			findings := examine(cmd.Context(), cfg, look)
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
	c.Flags().BoolVar(&look.mend, "mend", false, "remove bytes of uploads that nothing refers to, and have read again what can be")
	c.Flags().BoolVar(&look.deep, "deep", false, "read all uploaded bytes, to find those that changed on the disk")
	return c
}

func examine(ctx context.Context, cfg *config.Config, look fileLook) []finding {
	out := []finding{folder(cfg.DataDir), secret(cfg), port(ctx, cfg), files()}
	r, err := server.Look(ctx, cfg)
	if err != nil {
		return append(out, finding{"database", false, sentence(err)})
	}
	defer r.Close()
	note := cfg.DatabaseName() + " answers and its schema is current"
	if n := r.DB.Notices(); len(n) > 0 {
		note = strings.Join(n, "; ")
	}
	out = append(out, finding{"database", true, note}, uploads(ctx, cfg, r, look))
	return append(out, connections(ctx, cfg, r)...)
}

// connections asks every upstream for its models.
func connections(ctx context.Context, cfg *config.Config, r *server.Rooms) (out []finding) {
	for _, c := range r.Check(ctx, cfg) {
		f := finding{"connection", c.Err == nil, c.String()}
		switch {
		case c.Err != nil && c.Assumed:
			f.OK, f.Note = true, "no Ollama at its usual address, and none is configured"
		case errdefs.Is(c.Err, errdefs.Invalid):
			f.Note = c.Name + " cannot be used: " + sentence(c.Err)
		case c.Err != nil:
			f.Note = fmt.Sprintf("%s (%s): start it, or mend its address or key, in the settings of the administrator or in the environment", c, cause(c.Err))
		}
		out = append(out, f)
	}
	return out
}

// cause is the innermost reason of an error: a person at a terminal may read it.
func cause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// folder asks the system rather than writing something: what root makes, the
// server may not be able to use.
func folder(dir string) finding {
	at := dir
	for {
		info, err := os.Stat(at)
		if errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
			at = filepath.Dir(at)
			continue
		}
		if err == nil && !info.IsDir() {
			return finding{"data folder", false, at + " is a file: point DATA_DIR to a folder"}
		}
		break
	}
	if err := unix.Access(at, unix.W_OK|unix.X_OK); err != nil {
		return finding{"data folder", false, fmt.Sprintf("%s cannot be written by user id %d (%v): chown it to that user, or point DATA_DIR elsewhere", at, os.Getuid(), err)}
	}
	if at != dir {
		return finding{"data folder", true, dir + " will be made at the first start"}
	}
	return finding{"data folder", true, dir + " can be written to"}
}

func secret(cfg *config.Config) finding {
	if cfg.SecretKey != "" {
		return finding{"secret", true, "WEBUI_SECRET_KEY is set"}
	}
	path := filepath.Join(cfg.DataDir, "secret.key")
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding{"secret", true, "will be made at the first start"}
	case err != nil:
		return finding{"secret", false, fmt.Sprintf("%v: let the user of the server read it", err)}
	case info.Mode().Perm()&0o077 != 0:
		return finding{"secret", false, path + " can be read by others: chmod 600 it"}
	}
	if _, err := cfg.Secret(); err != nil {
		return finding{"secret", false, err.Error()}
	}
	return finding{"secret", true, path}
}

func port(ctx context.Context, cfg *config.Config) finding {
	l, err := net.Listen("tcp", cfg.Address())
	switch {
	case err == nil:
		_ = l.Close()
		return finding{"port", true, cfg.Address() + " is free"}
	case errors.Is(err, syscall.EADDRINUSE):
		ctx, cancel := context.WithTimeout(ctx, alivePatience)
		defer cancel()
		if server.Alive(ctx, reachable(cfg.Host, cfg.Port)) == nil {
			return finding{"port", true, "a server is alive at " + cfg.Address()}
		}
		return finding{"port", false, cfg.Address() + " is taken by another program: stop it, or choose another PORT"}
	case errors.Is(err, syscall.EACCES):
		return finding{"port", false, fmt.Sprintf("user id %d may not listen on %s: choose a PORT from 1024 on", os.Getuid(), cfg.Address())}
	}
	return finding{"port", false, fmt.Sprintf("%s cannot be listened on (%s): HOST must be an address of this machine, or empty for all", cfg.Address(), cause(err))}
}

func files() finding {
	n := server.OpenFiles()
	note := fmt.Sprintf("limit %d: about %d streams at once", n, n/3)
	if n < 4096 {
		return finding{"open files", false, note + "; raise it with ulimit -n 65536, or LimitNOFILE=65536 of systemd"}
	}
	return finding{"open files", true, note}
}
