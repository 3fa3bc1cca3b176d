package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"portico/internal/config"
)

func configCommand(env *Env) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Show and check the configuration"}
	c.AddCommand(&cobra.Command{
		Use:     "show",
		Short:   "Print every variable with its value and where it came from",
		Example: "  portico config show\n  portico config show --json | jq '.[] | select(.origin != \"default\")'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd, env)
			if err != nil {
				return err
			}
			values := cfg.Values()
			return show(cmd, values, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				_, _ = fmt.Fprintln(t, "VARIABLE\tVALUE\tORIGIN")
				for _, v := range values {
					_, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", v.Name, v.Value, v.Origin)
				}
				_ = t.Flush()
			})
		},
	}, &cobra.Command{
		Use:     "check",
		Short:   "Read the configuration and name all its faults; exit code 2 when there are any",
		Example: "  portico config check --config portico.env",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd, env)
			if err != nil {
				return err
			}
			warnings := append([]string{}, cfg.Warnings()...)
			return show(cmd, map[string]any{"ok": true, "warnings": warnings}, func(w io.Writer) {
				_, _ = fmt.Fprintln(w, "The configuration is right.")
				for _, s := range warnings {
					_, _ = fmt.Fprintln(w, s)
				}
			})
		},
	})
	return c
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  portico version --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := map[string]string{"version": config.Version, "revision": config.Revision()}
			return show(cmd, v, func(w io.Writer) { _, _ = fmt.Fprintf(w, "portico %s (%s)\n", v["version"], v["revision"]) })
		},
	}
}
