package cli

import (
	"github.com/spf13/cobra"

	"portico/internal/api"
)

func openapiCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "openapi",
		Short:   "Print the OpenAPI document of every route; needs no database",
		Example: "  portico openapi > openapi.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc, err := api.Document(new(api.API).Routes())
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(doc)
			return err
		},
	}
}
