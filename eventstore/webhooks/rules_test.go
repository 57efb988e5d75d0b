package webhooks

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/eventstore"
)

func TestPrivateAddressesRefused(t *testing.T) {
	for _, inside := range []string{
		"127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
		"192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "168.63.129.16",
		"::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1", "2001::1", "2002:7f00:1::",
		"::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "5f00::1",
	} {
		if public(netip.MustParseAddr(inside)) {
			t.Errorf("%s is called", inside)
		}
		address := netip.AddrPortFrom(netip.MustParseAddr(inside), 443).String()
		if (Policy{}).control("tcp", address, nil) == nil || (Policy{AllowPrivate: true}).control("tcp", address, nil) != nil {
			t.Errorf("%s", address)
		}
	}
	for _, outside := range []string{"8.8.8.8", "101.6.4.100", "172.32.0.1", "192.169.0.1", "2400:3200::1", "2606:4700:4700::1111"} {
		if !public(netip.MustParseAddr(outside)) {
			t.Errorf("%s is not called", outside)
		}
	}
}

func TestPolicyCheck(t *testing.T) {
	for address, policies := range map[string][4]bool{ // neither, http, private, both
		"https://example.org/x":         {true, true, true, true},
		"https://example.org:8443/x":    {true, true, true, true},
		"https://example.org:22/x":      {false, false, true, true},
		"https://example.org:99999/x":   {false, false, true, true},
		"http://example.org/x":          {false, true, false, true},
		"http://example.org:443/x":      {false, false, false, true},
		"https://10.0.0.1/x":            {false, false, true, true},
		"https://[::1]/x":               {false, false, true, true},
		"https://[::ffff:10.0.0.1]/x":   {false, false, true, true},
		"http://169.254.169.254/latest": {false, false, false, true},
		"ftp://example.org/x":           {false, false, false, false},
		"https:///x":                    {false, false, false, false},
	} {
		for i, p := range []Policy{{}, {AllowHTTP: true}, {AllowPrivate: true}, {AllowHTTP: true, AllowPrivate: true}} {
			if why, ok := p.Check(address); ok != policies[i] || ok != why.IsZero() {
				t.Errorf("%s under %+v: %v, %v", address, p, ok, why)
			}
		}
	}
}

func TestSecretDerivation(t *testing.T) {
	file := filepath.Join(t.TempDir(), KeyFile)
	key, err := LoadOrCreateKey(file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadOrCreateKey(file)
	if err != nil {
		t.Fatal(err)
	}
	other, err := LoadOrCreateKey(file + "2")
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.New()
	secret := key.Secret(id, 1)
	if !strings.HasPrefix(secret, "whsec_") || len(key.secret(id, 1)) != 32 || again.Secret(id, 1) != secret {
		t.Error(secret)
	}
	for _, s := range []string{key.Secret(id, 2), key.Secret(uuid.New(), 1), other.Secret(id, 1)} {
		if s == secret {
			t.Error("one secret stands for two")
		}
	}
	known, err := ParseKey(strings.Repeat("A", 43) + "=")
	if err != nil {
		t.Fatal(err)
	}
	// Worked out apart from this code, by RFC 5869 with HMAC alone.
	if s := known.Secret(uuid.UUID{15: 1}, 1); s != "whsec_4zJuQtkviTcb7JfnX2ZXW65kBx9bT7R+VaAgJ1xC5E8=" {
		t.Errorf("secrets that were handed out have changed: %s", s)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateKey(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others may read: %v", err)
	}
	if err := os.WriteFile(file+"3", []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateKey(file + "3"); err == nil {
		t.Error("nonsense is a key")
	}
}

func TestBackoffBounds(t *testing.T) {
	s := &endpointWorker{Dispatcher: New(nil, nil, Registry{}, Key{}, Config{})}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 100_000).Draw(t, "attempts")
		asked := time.Duration(rapid.Int64Range(0, int64(6*time.Hour)).Draw(t, "Retry-After"))
		wait := s.wait(n, Result{RetryAfter: asked})
		bound := 6 * time.Hour
		if n < 13 {
			bound = min(bound, 5*time.Second<<n)
		}
		if wait < time.Second || wait < asked || wait > max(asked, bound+time.Second) {
			t.Errorf("after %d attempts: %s", n, wait)
		}
	})
	var longest time.Duration
	for range 1000 {
		longest = max(longest, s.backoff(12))
	}
	if longest < 2*time.Hour {
		t.Errorf("the longest of a thousand waits after twelve attempts is %s", longest)
	}
}

func TestRecordKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r record
		now := time.Unix(1_700_000_000, 0)
		waiting, given := map[eventstore.Position]bool{}, map[eventstore.Position]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if !slices.IsSorted(r.Pending) || len(r.Pending) != len(waiting) || len(r.Parked) != len(given) {
					t.Fatalf("%+v holds %v, parked %v", r, waiting, given)
				}
				for _, p := range r.Pending {
					if !waiting[p] {
						t.Fatalf("%d is not to be delivered", p)
					}
				}
				if blocked := len(waiting) > 0; blocked != r.blocked() || blocked && r.due(time.Time{}).IsZero() || !blocked && !r.due(time.Time{}).IsZero() {
					t.Fatalf("%+v is due at %s", r, r.due(time.Time{}))
				}
			},
			"add": func(t *rapid.T) {
				p := eventstore.Position(rapid.Uint64Range(1, 50).Draw(t, "position"))
				r.add(p)
				waiting[p] = true
			},
			"deliver": func(t *rapid.T) {
				p := eventstore.Position(rapid.Uint64Range(1, 50).Draw(t, "position"))
				r.delivered(p)
				delete(waiting, p)
			},
			"fail": func(t *rapid.T) {
				if !r.blocked() {
					t.Skip()
				}
				first, attempts := r.Pending[0], r.Attempts
				now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "hours")) * time.Hour)
				next, over := r.failed(now, failed{Outcome: Refused, Status: 500}, time.Minute, 72*time.Hour)
				if over {
					delete(waiting, first)
					given[first] = true
				} else if r.Pending[0] != first || r.Attempts != attempts+1 || !next.Equal(now.Add(time.Minute)) {
					t.Fatalf("%+v", r)
				}
			},
			"replay": func(t *rapid.T) {
				if !r.unpark(now.Add(time.Second)) && len(given) > 0 {
					t.Fatal("nothing was taken up again")
				}
				for p := range given {
					waiting[p] = true
				}
				clear(given)
			},
		})
	})
}

func TestAnswerExcerpt(t *testing.T) {
	long := strings.Repeat("实验室", 100)
	for _, c := range []struct{ media, answer, want string }{
		{"text/plain", "no", "no"}, {"application/json", "{\n}", "{ }"}, {"application/problem+json", "{}", "{}"},
		{"text/html", long, long[:198]}, {"image/png", "no", ""}, {"", "no", ""}, {"text/plain", "\xff\xfe\xfd\xfc\xfb\xfa", ""},
	} {
		if got := excerpt(c.media, []byte(c.answer)); got != c.want {
			t.Errorf("%s: %q, not %q", c.media, got, c.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2024, 6, 3, 4, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "-5": 0, "soon": 0, "Mon, 03 Jun 2024 04:01:00 GMT": time.Minute, "Mon, 03 Jun 2024 03:00:00 GMT": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %s", header, got)
		}
	}
}
