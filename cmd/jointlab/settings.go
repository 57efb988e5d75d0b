package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const envPrefix = "JOINTLAB_"

// reservedEnv are variables that are not settings: the tests' own.
const reservedEnv = envPrefix + "TEST_"

func settingsTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "settings",
		Short: "Where settings come from · 设置的来源",
		Long: `Every setting has one name and may be given in three places; the first wins:

  1. a flag                     --listen 127.0.0.1:9000
  2. an environment variable    JOINTLAB_LISTEN=127.0.0.1:9000   (capitals, _ for -)
  3. a line in the file named   listen = 127.0.0.1:9000          (# begins a comment)
     by --config or JOINTLAB_CONFIG

A name that no command knows is an error, wherever it stands, so that a
misspelt setting is never silently ignored.`,
	}
}

// applySettings gives cmd's flags that were not set on the command line their
// values from the environment, then from the file.
func applySettings(cmd *cobra.Command) error {
	known := allSettings(cmd.Root())
	env := map[string]string{}
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		if rest, ok := strings.CutPrefix(k, envPrefix); ok && !strings.HasPrefix(k, reservedEnv) {
			name := strings.ReplaceAll(strings.ToLower(rest), "_", "-")
			if !slices.Contains(known, name) {
				return fmt.Errorf("environment variable %s is no setting; settings are %s", k, strings.Join(known, ", "))
			}
			env[name] = v
		}
	}
	config := cmd.Flags().Lookup("config")
	if v, ok := env["config"]; ok && !config.Changed {
		if err := config.Value.Set(v); err != nil {
			return err
		}
	}
	file, err := readSettings(config.Value.String(), known)
	if err != nil {
		return err
	}
	var wrong []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		for _, from := range []struct {
			values map[string]string
			where  string
		}{{env, "environment variable " + envPrefix + strings.ToUpper(
			strings.ReplaceAll(f.Name, "-", "_"),
		)}, {file, config.Value.String()}} {
			v, ok := from.values[f.Name]
			if !ok || f.Changed {
				continue
			}
			if err := f.Value.Set(v); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %s: %w", from.where, f.Name, err))
			}
			f.Changed = true
		}
	})
	return errors.Join(wrong...)
}

// allSettings returns every flag of every command: a settings file may serve them all.
func allSettings(root *cobra.Command) []string {
	var names []string
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, set := range []*pflag.FlagSet{c.PersistentFlags(), c.LocalFlags()} {
			set.VisitAll(func(f *pflag.Flag) {
				if f.Name != "help" && !slices.Contains(names, f.Name) {
					names = append(names, f.Name)
				}
			})
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	slices.Sort(names)
	return names
}

func readSettings(file string, known []string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	values := map[string]string{}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		switch {
		case !ok:
			return nil, fmt.Errorf("%s:%d: write a setting as name = value", file, i+1)
		case !slices.Contains(known, name) || name == "config":
			return nil, fmt.Errorf("%s:%d: %q is no setting; settings are %s", file, i+1, name, strings.Join(known, ", "))
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("%s:%d: %s is set twice", file, i+1, name)
		}
		values[name] = strings.TrimSpace(value)
	}
	return values, nil
}
