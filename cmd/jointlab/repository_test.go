package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/jointlab/jointlab/"

// goFiles calls each with every Go file of the repository and its folder.
func goFiles(t *testing.T, each func(folder, file string)) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			folder, _ := filepath.Rel(root, filepath.Dir(path))
			each(filepath.ToSlash(folder), path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImportDirection(t *testing.T) {
	order := []string{"domain", "eventstore", "projections", "api", "cmd"}
	drivers := map[string][]string{
		"github.com/nats-io/":         {"eventstore/jetstream", "eventstore/relay"},
		"github.com/synadia-io/":      {"eventstore/jetstream", "eventstore/relay"},
		"github.com/EventStore/":      {"eventstore/esdb"},
		"modernc.org/sqlite":          {"projections"},
		"github.com/danielgtaylor/":   {"api"},
		"github.com/spf13/cobra":      {"cmd"},
		"github.com/golang-jwt/jwt/v": {"api"},
	}
	goFiles(t, func(folder, file string) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		tree, _, _ := strings.Cut(folder, "/")
		here := slices.Index(order, tree)
		if here < 0 {
			t.Errorf("%s: %q is none of the trees %v", file, tree, order)
		}
		for _, spec := range parsed.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if inside, ok := strings.CutPrefix(path, module); ok {
				other, _, _ := strings.Cut(inside, "/")
				if slices.Index(order, other) > here {
					t.Errorf("%s imports %s, which stands to its right", file, inside)
				}
				continue
			}
			if strings.HasSuffix(file, "_test.go") || strings.Contains(folder, "test") {
				continue
			}
			for prefix, allowed := range drivers {
				if strings.HasPrefix(path, prefix) &&
					!slices.ContainsFunc(allowed, func(a string) bool { return strings.HasPrefix(folder, a) }) {
					t.Errorf("%s imports %s; only %v may", file, path, allowed)
				}
			}
			if tree == "domain" && strings.Contains(strings.Split(path, "/")[0], ".") &&
				path != "github.com/google/uuid" && path != "github.com/cockroachdb/apd/v3" {
				t.Errorf("%s imports %s; the domain imports the standard library, apd and uuid", file, path)
			}
		}
	})
}

func TestDomainIsPure(t *testing.T) {
	goFiles(t, func(folder, file string) {
		if !strings.HasPrefix(folder, "domain") || strings.HasSuffix(file, "_test.go") || folder == "domain/domaintest" {
			return
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, impure := range []string{"time.Now(", "uuid.New(", "uuid.NewV7(", "rand.", "\"os\"", "net/http"} {
			if strings.Contains(string(text), impure) {
				t.Errorf("%s uses %s", file, impure)
			}
		}
	})
}

func TestPackageComments(t *testing.T) {
	documented := map[string]bool{}
	goFiles(t, func(folder, file string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		documented[folder] = documented[folder] || parsed.Doc != nil
	})
	for folder, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", folder)
		}
	}
}
