package api

import (
	"reflect"
	"strings"
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
)

func TestEveryMemberOfADocumentHasAWordInBothLanguages(t *testing.T) {
	used, seen := map[string]bool{}, map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] {
			return
		}
		seen[t] = true
		for _, f := range reflect.VisibleFields(t) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
				used[name] = true
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[lab.Lab]())
	walk(reflect.TypeFor[entity.Entity]())
	walk(reflect.TypeFor[programme.Programme]())
	if len(used) < 200 {
		t.Fatalf("only %d members were found", len(used))
	}
	for name := range used {
		if word := vocabulary[name]; word.Zh == "" || word.En == "" {
			t.Errorf("vocabulary.go has no words for %q", name)
		}
	}
	for name := range vocabulary {
		if !used[name] {
			t.Errorf("vocabulary.go has words for %q, which no document has", name)
		}
	}
	for _, r := range domain.Roles {
		if name := roleNames[r]; name.Zh == "" || name.En == "" {
			t.Errorf("vocabulary.go has no words for the role %q", r)
		}
	}
}
