package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/eventstore/webhooks"
)

func webhookCommand() *cobra.Command {
	var data, id string
	var generation int
	secret := &cobra.Command{
		Use:   "secret",
		Short: "Show the secret of a webhook again · 再次显示推送端点的签名密钥",
		Long: `secret prints what deliveries to a webhook are verified with, as the answer to
register or rotate-secret gave it. It follows from webhook.key in the data folder,
so it can be asked for on the server's machine only, while the server runs or not.
GET /v1/webhooks/{id} says which generation is in use.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			endpoint, err := uuid.Parse(id)
			if err != nil {
				return fmt.Errorf("--id %q is not the id of a webhook", id)
			}
			if generation < 1 {
				return errors.New("--generation is 1 or more")
			}
			file := filepath.Join(data, webhooks.KeyFile)
			if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("there is no %s; no server has delivered to webhooks from this folder", file)
			}
			key, err := webhooks.LoadOrCreateKey(file)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), key.Secret(endpoint, generation))
			return nil
		},
	}
	secret.Flags().StringVar(&data, "data", defaultData, "folder that holds the register")
	secret.Flags().StringVar(&id, "id", "", "id of the webhook")
	secret.Flags().IntVar(&generation, "generation", 1, "which secret: 1 is the first, each rotation begins the next")
	cmd := &cobra.Command{Use: "webhook", Short: "Webhooks · 推送端点"}
	cmd.AddCommand(secret)
	return cmd
}
