// Command jointlab is the register of international joint laboratories: one
// binary that serves it, fills it, checks it, and hands out the tokens with
// which people and systems act on it.
//
// Run `jointlab help` for the commands, `jointlab help settings` for where
// settings come from.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "jointlab:", err)
		os.Exit(1)
	}
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "jointlab",
		Short: "The register of international joint laboratories · 国际合作联合实验室登记簿",
		Long: `jointlab keeps the register of international joint laboratories (教技〔2014〕1号):
every change to a laboratory's agreements, rights and responsibilities, funding,
status and records is an event that is never edited, with current state, any
lab's history and the reasons for every refusal over HTTP.

jointlab 是国际合作联合实验室的登记簿：协议、责权利、投入、状态与各项记录的每一次变更，
都是一条不可更改的事件；现状、历史与每一次不予办理的理由，均可通过 HTTP 查询。`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return applySettings(cmd) },
	}
	cmd.PersistentFlags().String("config", "", "file of settings, a line each: name = value")
	cmd.AddCommand(
		serveCommand(), importCommand(), tokenCommand(), keyCommand(), subscriberCommand(), subscribeCommand(), webhookCommand(),
		verifyCommand(), replayCommand(), rebuildCommand(), auditCommand(), compareCommand(), migrateCommand(), backupCommand(), restoreCommand(),
		healthCommand(), doctorCommand(), contractsCommand(), versionCommand(), settingsTopic(), metricsTopic(), packTopic(),
	)
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is · 显示版本",
		Args:  cobra.NoArgs,
		Run:   func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), version()) },
	}
}

// version returns the module's version and the commit it was built from, as the Go
// tool stamped them.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "jointlab (unknown build)"
	}
	v, commit := info.Main.Version, ""
	if v == "" {
		v = "(devel)"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = " " + s.Value
		}
	}
	return "jointlab " + v + commit + " " + info.GoVersion
}
