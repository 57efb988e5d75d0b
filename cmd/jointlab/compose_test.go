package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"
)

// composed is the part of docker-compose.yml that the test reads.
type composed struct {
	Services map[string]struct {
		Image       string
		Build       struct{ Context, Dockerfile string }
		Command     []string
		Environment map[string]string
		Volumes     []string
		Healthcheck struct{ Test []string }
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	}
	Configs map[string]struct{ Content string }
	Volumes map[string]any
}

// flagsExist runs jointlab's own parser over arguments, without running the command.
func flagsExist(t *testing.T, where string, args []string) {
	t.Helper()
	cmd := root()
	found, rest, err := cmd.Find(args)
	if err != nil || found == cmd {
		t.Fatalf("%s: %v names no command: %v", where, args, err)
	}
	found.RunE = func(*cobra.Command, []string) error { return nil }
	if err := found.ParseFlags(rest); err != nil {
		t.Errorf("%s: %v", where, err)
	}
	if found.Name() == "serve" {
		s := settings{}
		for name, to := range map[string]*string{"store": &s.store, "esdb-url": &s.esdbURL, "nats-url": &s.natsURL} {
			*to = found.Flags().Lookup(name).Value.String()
		}
		if err := s.check(); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
}

func TestComposeFile(t *testing.T) {
	top := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(top, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var c composed
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	nodes := 0
	for name, s := range c.Services {
		if len(s.Healthcheck.Test) == 0 {
			t.Errorf("%s has no health check", name)
		}
		for _, v := range s.Volumes {
			volume, _, _ := strings.Cut(v, ":")
			if _, ok := c.Volumes[volume]; !ok {
				t.Errorf("%s uses volume %s, which is not declared", name, volume)
			}
		}
		for other := range s.DependsOn {
			if _, ok := c.Services[other]; !ok {
				t.Errorf("%s depends on %s, which is no service", name, other)
			}
		}
		if s.Build.Dockerfile == "" {
			continue
		}
		nodes++
		if _, err := os.Stat(filepath.Join(top, s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		flagsExist(t, name, s.Command)
		flagsExist(t, name+" health check", s.Healthcheck.Test[2:])
		for _, flag := range s.Command {
			for _, host := range regexp.MustCompile(`//([a-z0-9]+):`).FindAllStringSubmatch(flag, -1) {
				if _, ok := c.Services[host[1]]; !ok {
					t.Errorf("%s: %s names %s, which is no service", name, flag, host[1])
				}
			}
		}
	}
	if nodes != 2 || len(c.Services) != 6 {
		t.Errorf("%d nodes among %d services", nodes, len(c.Services))
	}
	said := regexp.MustCompile(`(?m)^#.*$`).ReplaceAll(text, nil)
	if secret := regexp.MustCompile(`(?i)(password|secret|token|key)\s*[:=]\s*\S`).Find(said); secret != nil {
		t.Errorf("the file seems to hold a secret: %s", secret)
	}

	// The NATS servers read their configuration, which syncs each event to disk.
	conf := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(conf, []byte(c.Configs["nats"].Content), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	if !options.SyncAlways || !options.JetStream || options.StoreDir != "/data" || len(options.Routes) != 3 ||
		options.HTTPPort != 8222 {
		t.Errorf("the NATS servers would run with %+v", options)
	}
}

func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		for _, keyword := range []string{"CMD [", "ENTRYPOINT ["} {
			if _, args, ok := strings.Cut(line, keyword); ok {
				var list []string
				if err := yaml.Unmarshal([]byte("["+strings.TrimSpace(args)), &list); err != nil {
					t.Fatal(err)
				}
				list = slices.DeleteFunc(list, func(a string) bool { return a == "/jointlab" })
				if len(list) > 0 {
					flagsExist(t, "Dockerfile", list)
				}
			}
		}
	}
	if !strings.Contains(string(text), "\nUSER 65532:65532\n") ||
		!strings.Contains(string(text), "CGO_ENABLED=0 go build") {
		t.Error("the image does not run a static binary as a user without rights")
	}
}
