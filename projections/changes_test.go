package projections

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/domain/domaintest"
)

func TestChangesPaths(t *testing.T) {
	for _, c := range []struct{ name, before, after, want string }{
		{"nothing", `{"a":1,"b":[1,{"id":"x"}]}`, `{"b":[1,{"id":"x"}], "a" : 1}`, ``},
		{"a value", `{"a":1,"b":2}`, `{"a":1,"b":3}`, `b: 2 -> 3`},
		{"deep inside", `{"a":{"b":{"c":"x","d":1}}}`, `{"a":{"b":{"c":"y","d":1}}}`, `a/b/c: "x" -> "y"`},
		{"a member that came and one that went", `{"a":1,"c":3}`, `{"b":{"x":2},"c":3}`, `a: 1 -> ; b: -> {"x":2}`},
		{"another kind of value", `{"a":{"b":1}}`, `{"a":"b"}`, `a: {"b":1} -> "b"`},
		{"a list's members by id, wherever they stand", `{"l":[{"id":"A1","x":1},{"id":"A2","x":1}]}`,
			`{"l":[{"id":"A0","x":0},{"id":"A2","x":2},{"id":"A1","x":1}]}`,
			`l/A0: -> {"id":"A0","x":0}; l/A2/x: 1 -> 2`},
		{"by number", `{"l":[{"no":1,"x":1}]}`, `{"l":[{"no":1,"x":2},{"no":2}]}`, `l/1/x: 1 -> 2; l/2: -> {"no":2}`},
		{"by the entity it is about", `{"l":[{"entity":{"id":"e"},"x":1}]}`, `{"l":[{"entity":{"id":"e"},"x":2}]}`,
			`l/e/x: 1 -> 2`},
		{"by place where ids are not told apart", `{"l":[{"id":"A"},{"id":"A"}]}`, `{"l":[{"id":"A"},{"id":"B"}]}`,
			`l/1/id: "A" -> "B"`},
		{"by place where there are none", `{"l":["a","b"]}`, `{"l":["a","c","d"]}`, `l/1: "b" -> "c"; l/2: -> "d"`},
		{"a list's first members and its last", `{"m":[{"id":"B"}]}`, `{"l":[{"id":"A"}]}`,
			`m/B: {"id":"B"} -> ; l/A: -> {"id":"A"}`},
		{"from nothing", ``, `{"a":1,"":2}`, `a: -> 1; : -> 2`},
		{"to nothing", `{"a":1}`, ``, `a: 1 -> `},
		{"names with strokes", `{"a/b~":1}`, `{"a/b~":2}`, `a~1b~0: 1 -> 2`},
	} {
		t.Run(c.name, func(t *testing.T) {
			changes, err := Changes([]byte(c.before), []byte(c.after))
			if err != nil {
				t.Fatal(err)
			}
			got := make([]string, len(changes))
			for i, ch := range changes {
				got[i] = strings.ReplaceAll(fmt.Sprintf("%s: %s -> %s", ch.Path, []byte(ch.Before), []byte(ch.After)),
					":  ->", ": ->")
			}
			if got := strings.Join(got, "; "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestChangesRefuseNonObjects(t *testing.T) {
	for _, bad := range []string{`{`, `[]`, `{"a":1,"a":2}`, `1 2`} {
		if changes, err := Changes([]byte(`{}`), []byte(bad)); err == nil ||
			!strings.Contains(err.Error(), "the second") {
			t.Errorf("%s: %v, %v", bad, changes, err)
		}
	}
}

// TestChangesRoundTrip makes every change in the old document and gets the new
// one; and backwards the changes are the same, before and after exchanged.
func TestChangesRoundTrip(t *testing.T) {
	t.Parallel()
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		return rapid.Custom(func(t *rapid.T) any {
			switch n := rapid.IntRange(0, 5).Draw(t, "kind"); {
			case n == 0:
				return rapid.StringMatching(`[a/~]{0,2}`).Draw(t, "text")
			case n == 1 || depth == 0:
				return rapid.IntRange(0, 3).Draw(t, "number")
			case n == 2:
				list := []any{}
				for _, no := range rapid.SliceOfNDistinct(rapid.IntRange(1, 5), 1, 4, rapid.ID[int]).Draw(t, "nos") {
					list = append(list, map[string]any{"no": no, "x": value(depth-1).Draw(t, "x")})
				}
				return list
			default:
				return any(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b/c", "~", ""}), value(depth-1), 1, 4).Draw(t,
					"members"))
			}
		})
	}
	domaintest.Check(t, 100, 1000, func(t *rapid.T) {
		document := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c/d", ""}), value(3), 0, 4)
		var docs [2]any
		var texts [2][]byte
		for i := range docs {
			docs[i] = any(document.Draw(t, "document"))
			texts[i] = encoding(t, docs[i])
		}
		there, err := Changes(texts[0], texts[1])
		if err != nil {
			t.Fatal(err)
		}
		back, err := Changes(texts[1], texts[0])
		if err != nil {
			t.Fatal(err)
		}
		turned := map[string]Change{}
		for _, c := range back {
			turned[c.Path] = Change{c.Path, c.After, c.Before}
		}
		made := tree(docs[0])
		for _, c := range there {
			if b := turned[c.Path]; string(b.Before) != string(c.Before) || string(b.After) != string(c.After) {
				t.Fatalf("%s: there %s -> %s, back %s -> %s", c.Path, c.Before, c.After, b.Before, b.After)
			}
			put(t, made, strings.Split(c.Path, "/"), c.After)
		}
		if got, want := string(encoding(t, made)), string(encoding(t, tree(docs[1]))); got != want ||
			len(there) != len(back) {
			t.Fatalf("%d changes there, %d back; they make\n%s of\n%s, not\n%s", len(there), len(back), got, texts[0],
				want)
		}
	})
}

func encoding(t *rapid.T, v any) []byte {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tree is a document whose lists are members named by their numbers; those
// that are empty are not there.
func tree(v any) any {
	made := map[string]any{}
	switch v := v.(type) {
	case map[string]any:
		for name, m := range v {
			made[name] = tree(m)
		}
	case []any:
		for _, m := range v {
			m := m.(map[string]any)
			made["#"+fmt.Sprint(m["no"])] = tree(m)
		}
	default:
		return v
	}
	return made
}

// put makes one change in a tree.
func put(t *rapid.T, in any, path []string, after jsontext.Value) {
	name := strings.NewReplacer("~1", "/", "~0", "~").Replace(path[0])
	members := in.(map[string]any)
	if _, ok := members[name]; !ok && name != "" && name[0] >= '1' && name[0] <= '5' {
		name = "#" + name // of a list
	}
	switch {
	case len(path) > 1:
		if members[name] == nil {
			members[name] = map[string]any{}
		}
		put(t, members[name], path[1:], after)
		if left, ok := members[name].(map[string]any); ok && len(left) == 0 {
			delete(members, name)
		}
	case after == nil:
		delete(members, name)
	default:
		var v any
		if err := json.Unmarshal(after, &v); err != nil {
			t.Fatal(err)
		}
		members[name] = tree(v)
	}
}
