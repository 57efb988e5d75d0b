package api

import (
	"reflect"
	"testing"

	"github.com/jointlab/jointlab/domain"
)

func TestVocabularyIsComplete(t *testing.T) {
	used := map[string]bool{}
	eachMember(func(name string, f reflect.StructField) {
		used[name] = true
		if zh, ok := f.Tag.Lookup("zh"); ok && vocabulary[name] != domain.T(zh, f.Tag.Get("en")) {
			t.Errorf("the fields of %q bear different words", name)
		}
	})
	if len(used) < 200 {
		t.Fatalf("only %d members were found", len(used))
	}
	for name := range used {
		if word := vocabulary[name]; word.Zh == "" || word.En == "" {
			t.Errorf("no field bears words for %q", name)
		}
	}
	for _, row := range sharedWords {
		if !used[row[0]] || vocabulary[row[0]] != domain.T(row[1], row[2]) {
			t.Errorf("vocabulary.go has words for %q, which no document has, or a field bears others", row[0])
		}
	}
	for _, r := range domain.Roles {
		if name := roleNames[r]; name.Zh == "" || name.En == "" {
			t.Errorf("vocabulary.go has no words for the role %q", r)
		}
	}
}
