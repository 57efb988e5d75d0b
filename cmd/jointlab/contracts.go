package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/api"
)

func contractsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "contracts DIR",
		Short: "Write what others may rely on: OpenAPI, AsyncAPI, event schemas · 导出接口约定",
		Long: `contracts writes into DIR what a running server shows at /openapi.json,
/asyncapi.json and /schemas: the HTTP interface, the channels on which status
events come, and a JSON Schema of every event type.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			files := api.Contracts(version())
			for name, body := range files {
				file := filepath.Join(args[0], filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(file, body, 0o644); err != nil {
					return err
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d files in %s\n", len(files), args[0])
			return nil
		},
	}
}
