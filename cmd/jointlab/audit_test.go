package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jointlab/jointlab/eventstore/audit/audittest"
)

// read returns the body at a path of the server, read without a token.
func (s served) read(t testing.TB, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(path, res.Status, string(text), err)
	}
	return string(text)
}

func TestCheckpointsSurviveKills(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "register")
	s := startServer(t, data, "--demo", "--log-origin", "register.example.org/log")
	var key audittest.Key
	var before []audittest.Checkpoint
	for range 3 {
		s.read(t, "/v1/audit/proof?position=500") // waits for a checkpoint that covers it
		vkey := strings.TrimSpace(output(t, "audit", "key", "--data", data))
		k, err := audittest.ParseKey(vkey)
		if err != nil || key.Name != "" && string(k.Bytes) != string(key.Bytes) {
			t.Fatal(vkey, err)
		}
		key = k
		note := s.read(t, "/log/checkpoint")
		c, _, err := audittest.OpenCheckpoint([]byte(note), key)
		if err != nil || c.Origin != "register.example.org/log" {
			t.Fatal(note, err)
		}
		if err := audittest.CheckTiles(
			c.Size, c.Root, func(path string) ([]byte, error) { return []byte(s.read(t, "/log/"+path)), nil },
		); err != nil {
			t.Error(err)
		}
		for _, b := range before {
			var proof struct {
				Path []string `json:"path"`
			}
			reader := client{base: s.url, http: httpClient()}
			path := fmt.Sprintf("/v1/audit/consistency?from=%d&to=%d", b.Size, c.Size)
			if err := reader.get(t.Context(), path, &proof); err != nil {
				t.Fatal(err)
			}
			var hashes []audittest.Hash
			for _, h := range proof.Path {
				one, err := hex.DecodeString(h)
				if err != nil || len(one) != 32 {
					t.Fatal(h, err)
				}
				hashes = append(hashes, audittest.Hash(one))
			}
			if !audittest.Consistent(b.Size, c.Size, b.Root, c.Root, hashes) {
				t.Errorf("the log of %d events does not begin as that of %d did", c.Size, b.Size)
			}
		}
		before = append(before, c)
		s.kill()
		if got := output(t, "audit", "check", "--data", data); !strings.Contains(got, "are as they were taken into the log") {
			t.Error(got)
		}
		s = startServer(t, data, "--anonymous-read")
	}
	s.stop(t)
}
