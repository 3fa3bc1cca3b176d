// Package cli is the verbs of the portico command, beside serve: each a thin
// layer over the rooms, each with --json for scripts. It asks questions only
// on a terminal and ends with 0 when it did what was asked, 1 when that
// failed, 2 when the command or the configuration is wrong.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"portico/internal/config"
	"portico/internal/errdefs"
)

// The exit codes.
const (
	OK     = 0
	Failed = 1
	Wrong  = 2
)

// Env is everything that a command touches outside itself.
type Env struct {
	Args           []string // without the program's name
	Environ        []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// wrong is an error of usage or configuration.
type wrong struct{ error }

// Run runs one command and gives its exit code. Cancelling ctx stops it; the
// server then drains first.
func Run(ctx context.Context, env Env) int {
	root := newRoot(&env)
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return OK
	}
	code := Failed
	var w wrong
	if errors.As(err, &w) || config.IsFault(err) {
		code = Wrong
	}
	if jsonWanted(root) {
		_ = json.NewEncoder(env.Stderr).Encode(map[string]any{"error": sentence(err)})
	} else {
		_, _ = fmt.Fprintf(env.Stderr, "portico: %s\n", sentence(err))
	}
	return code
}

// sentence is what a person at a terminal may read: unlike a client of the
// API, they may also see the cause.
func sentence(err error) string {
	var e *errdefs.Error
	if errors.As(err, &e) && e.Err == nil {
		return e.Detail
	}
	return err.Error()
}

func newRoot(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "portico",
		Short: "Every model behind one door: an API server for Ollama and OpenAI-compatible models.",
		Long: "Every model behind one door: an API server for Ollama and OpenAI-compatible models.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 the command or the configuration is wrong.\n" +
			"Variables: docs/config.md lists them; `portico config show` prints each with its origin.",
		Example:       "  portico serve\n  portico user add ana@example.com --role admin\n  portico key create ana@example.com --name laptop",
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.PersistentFlags().Bool("json", false, "print JSON")
	root.PersistentFlags().String("config", "", "read variables from this file of NAME=value lines")
	root.PersistentFlags().String("data-dir", "", "folder of the data (DATA_DIR)")
	root.PersistentFlags().String("database-url", "", "database (DATABASE_URL)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return wrong{err} })
	root.AddCommand(serveCommand(env), userCommand(env), keyCommand(env), knowledgeCommand(env), evalCommand(env), configCommand(env),
		doctorCommand(env), modelCommand(env), embedCommand(), extractCommand(env), openapiCommand(), versionCommand())
	strict(root)
	return root
}

// strict makes wrong arguments exit with 2, also those that cobra finds.
func strict(c *cobra.Command) {
	c.SuggestionsMinimumDistance = 2
	args := c.Args
	if args == nil {
		args = cobra.NoArgs
		if c.HasSubCommands() {
			args = cobra.ArbitraryArgs
		}
	}
	c.Args = func(cmd *cobra.Command, a []string) error {
		if err := args(cmd, a); err != nil {
			return wrong{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
		}
		return nil
	}
	if c.HasSubCommands() && c.RunE == nil {
		c.RunE = func(cmd *cobra.Command, a []string) error {
			if len(a) > 0 {
				msg := fmt.Sprintf("there is no %q; see %s --help", a[0], cmd.CommandPath())
				if near := cmd.SuggestionsFor(a[0]); len(near) > 0 {
					msg = fmt.Sprintf("there is no %q; did you mean %s?", a[0], near[0])
				}
				return wrong{errors.New(msg)}
			}
			return cmd.Help()
		}
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// load reads the configuration with the flags that were given.
func load(cmd *cobra.Command, env *Env) (*config.Config, error) {
	src := config.Source{Environ: env.Environ, Flags: map[string]string{}}
	src.File, _ = cmd.Flags().GetString("config")
	for _, v := range config.Table() {
		if f := cmd.Flags().Lookup(v.Flag); v.Flag != "" && f != nil && f.Changed {
			src.Flags[v.Flag] = f.Value.String()
		}
	}
	cfg, err := config.Load(src)
	if err != nil {
		return nil, wrong{err}
	}
	return cfg, nil
}

func jsonWanted(cmd *cobra.Command) bool {
	v, _ := cmd.Flags().GetBool("json")
	return v
}

// show prints v as JSON when that was asked for, and text otherwise.
func show(cmd *cobra.Command, v any, text func(w io.Writer)) error {
	if jsonWanted(cmd) {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	text(cmd.OutOrStdout())
	return nil
}

// terminal reports whether v is a terminal, where a person can answer.
func terminal(v any) bool {
	f, ok := v.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}
