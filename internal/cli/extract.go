package cli

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"portico/internal/retrieval/extract"
	"portico/internal/retrieval/extract/worker"
)

func extractCommand(env *Env) *cobra.Command {
	var child bool
	c := &cobra.Command{
		Use:   "extract FILE",
		Short: "Print the text that the server would read in a file",
		Long: "Print the text that the server would read in a file, in the same confined child process and under the same limits.\n" +
			"With --json the whole document is printed: pages, headings, tables and warnings with their places in the text.",
		Example: "  portico extract report.pdf\n  portico extract report.pdf --json | jq .headings",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if child {
				return worker.Child(cmd.Context(), variable(env.Environ))
			}
			if len(args) == 0 {
				return wrong{errors.New("name a file; see portico extract --help")}
			}
			return extractFile(cmd, args[0])
		},
	}
	c.Flags().BoolVar(&child, "worker", false, "serve a parent process")
	_ = c.Flags().MarkHidden("worker")
	return c
}

func extractFile(cmd *cobra.Command, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	opt := extract.Options{Tesseract: extract.FindTesseract()}
	if dir, err := os.UserCacheDir(); err == nil {
		opt.CacheDir = filepath.Join(dir, "portico", "extract")
	}
	pool := worker.New(worker.Config{Children: 1, Options: opt})
	defer pool.Close()
	doc, err := pool.Extract(cmd.Context(), extract.Input{
		Name: filepath.Base(path), ContentType: mime.TypeByExtension(filepath.Ext(path)), Content: f, Size: info.Size(),
	})
	var e *extract.Error
	if errors.As(err, &e) {
		return fmt.Errorf("%s (%s)", e.Detail, e.Code)
	}
	if err != nil {
		return err
	}
	for _, w := range doc.Warnings {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "portico: %s\n", w)
	}
	return show(cmd, doc, func(w io.Writer) { _, _ = fmt.Fprintln(w, strings.TrimRight(doc.Text, "\n")) })
}

// variable finds variables in an environment.
func variable(environ []string) func(string) string {
	return func(name string) string {
		for _, v := range environ {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	}
}
