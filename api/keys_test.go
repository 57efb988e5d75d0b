package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/key"
	"github.com/jointlab/jointlab/eventstore"
)

const aDay = 24 * time.Hour

// keyFor returns the body of issue-key; entity may be empty.
func keyFor(role domain.Role, entity, service string, life time.Duration) string {
	acts := ""
	if entity != "" {
		acts = `"entity":"` + entity + `",`
	}
	return `{"name":{"zh":"经费系统","en":"grants system"},"service":"` + service + `","role":"` + string(role) + `",` + acts +
		`"expires":"` + today.Add(life).Format(time.RFC3339) + `"}`
}

var keyForm = regexp.MustCompile(`^jlk_[0-9a-f]{32}_[0-9a-f]{64}$`)

// secondNode returns another node on store, which may wrap that of w.
func (w *world) secondNode(store eventstore.Store, change ...func(*api.Config)) *world {
	w.Helper()
	cfg := api.Config{Logger: slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Patience: 20 * time.Second}
	for _, c := range change {
		c(&cfg)
	}
	server := api.New(store, w.log, w.model, w.verifier, w.clock, cfg)
	srv := httptest.NewServer(server)
	w.Cleanup(srv.Close)
	return &world{TB: w.TB, url: srv.URL, server: server, signer: w.signer, log: w.log}
}

func TestServiceKeyExpires(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	lab := w.incubating(host, partner, "2023-06-01")
	h := w.as(domain.Host, host)
	n := w.secondNode(w.log) // logs everything
	made := n.done("/v1/keys", h, keyFor(domain.Host, host, "grants", 90*aDay), "Idempotency-Key: mine")
	at, secret := "/v1/keys/"+made.str("id"), made.str("secret")
	if made.StatusCode != http.StatusCreated || made.Header.Get("Location") != at || !keyForm.MatchString(secret) ||
		made.at("notice") != nil {
		t.Fatalf("%s %v %s", made.Status, made.Header, made.text)
	}
	again := n.done("/v1/keys", h, keyFor(domain.Host, host, "grants", 90*aDay), "Idempotency-Key: mine")
	if again.at("replayed") != true || again.str("id") != made.str("id") || again.at("secret") != nil ||
		strings.Contains(again.text, "jlk_") || !strings.Contains(again.str("notice.en"), "revoke") ||
		again.str("notice.zh") == "" {
		t.Errorf("sent again: %s", again.text)
	}
	n.done("/v1/labs/"+lab+"/set-discipline", secret, `{"discipline":{"zh":"环境科学"}}`)
	history := w.get("/v1/labs/"+lab+"/history?type=lab.record.discipline-set.v1", h)
	if history.str("items.0.actor.subject") != "service:grants@"+host || history.str("items.0.actor.role") != "host" ||
		history.str("items.0.actor.on_behalf_of") != host {
		t.Errorf("%s", history.text)
	}
	if r := n.post("/v1/labs/"+lab+"/pass-formal-check", secret,
		`{"on":"2024-06-01"}`); r.StatusCode != http.StatusForbidden {
		t.Errorf("deciding for the ministry: %s %s", r.Status, r.text)
	}
	for _, token := range []string{h, w.as(domain.Auditor), secret} {
		one, all := w.get(at, token), w.get("/v1/keys?state=active", token)
		for _, prefix := range []string{"", "items.0."} {
			r := map[string]response{"": one, "items.0.": all}[prefix]
			if r.str(prefix+"state") != "active" || r.str(prefix+"subject") != "service:grants@"+host ||
				r.str(prefix+"on_behalf_of.id") != host ||
				r.str(prefix+"expires") != "2024-09-01T04:00:00Z" ||
				r.str(prefix+"issuer.subject") != "host@example.org" {
				t.Errorf("%s %s", r.Status, r.text)
			}
		}
	}
	trail := w.get("/v1/events?key="+made.str("id"), w.as(domain.Auditor))
	if trail.at("total") != 1.0 || trail.str("items.0.type") != "key.issued.v1" {
		t.Errorf("%s", trail.text)
	}
	event := w.get(fmt.Sprintf("/v1/events/%.0f", trail.at("items.0.position")), w.as(domain.Auditor))
	hash := event.str("data.hash")
	if len(hash) != 64 || strings.Contains(event.text, secret[37:]) {
		t.Errorf("%s", event.text)
	}
	for what, text := range map[string]string{"one": w.get(at, h).text, "a list": w.get("/v1/keys", h).text,
		"the log": w.logged.String()} {
		if strings.Contains(text, secret[37:]) || strings.Contains(text, hash) {
			t.Errorf("%s shows the secret or its hash: %s", what, text)
		}
	}
	w.ahead.Store(int64(90*aDay - time.Second))
	if r := w.get("/v1/labs", secret); r.StatusCode != http.StatusOK {
		t.Errorf("just before its end: %s", r.text)
	}
	w.ahead.Store(int64(90 * aDay))
	if r := w.get("/v1/labs", secret); r.StatusCode != http.StatusUnauthorized ||
		!strings.Contains(w.logged.String(), "the service key "+made.str("id")+" is expired") {
		t.Errorf("after its end: %s %s", r.Status, r.text)
	}
	if r := w.get("/v1/keys?state=expired", w.as(domain.Officer)); r.str("items.0.state") != "expired" ||
		r.at("total") != 1.0 {
		t.Errorf("%s", r.text)
	}
}

func TestRevokedKeyRefusedOnAllNodes(t *testing.T) {
	checkLeaks(t)
	w := newWorld(t)
	host, _ := w.parties()
	h := w.as(domain.Host, host)
	other := w.secondNode(w.log, func(c *api.Config) { c.Heartbeat = 10 * time.Millisecond })
	var ids, secrets [2]string // the second replaces the first, and is the same actor
	for i := range 2 {
		r := w.done("/v1/keys", h, keyFor(domain.Host, host, "grants", 90*aDay))
		ids[i], secrets[i] = r.str("id"), r.str("secret")
	}
	for _, node := range []*world{w, other} {
		for _, s := range secrets {
			if r := node.get("/v1/labs", s); r.StatusCode != http.StatusOK {
				t.Fatalf("%s %s", r.Status, r.text)
			}
		}
	}
	stream, err := other.open(t.Context(), forms["NDJSON"], "/v1/events", "Authorization: Bearer "+secrets[0])
	if err != nil || stream.StatusCode != http.StatusOK {
		t.Fatal(err, stream.Status)
	}
	defer stream.Body.Close()

	w.done("/v1/keys/"+ids[0]+"/revoke", h, `{"reason":"更换"}`)
	for _, node := range []*world{other, w} {
		if r := node.get("/v1/labs", secrets[0]); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("revoked: %s", r.Status)
		}
		if r := node.get("/v1/labs", secrets[1]); r.StatusCode != http.StatusOK {
			t.Errorf("its successor: %s %s", r.Status, r.text)
		}
	}
	for end := ""; end == ""; {
		m, err := stream.read()
		if err != nil {
			t.Fatal("a stream ended without a word: ", err)
		}
		if end = m.end; end != "" && end != "token-expired" {
			t.Errorf("a stream that the key had opened ended as %s", end)
		}
	}
	if r := w.get("/v1/keys?state=revoked", h); r.str("items.0.id") != ids[0] || r.at("total") != 1.0 ||
		r.str("items.0.revoked") == "" {
		t.Errorf("%s", r.text)
	}
	if r := w.post("/v1/keys/"+ids[0]+"/revoke", h, `{}`); r.str("code") != "wrong-state" {
		t.Errorf("twice: %s", r.text)
	}
}

func TestBadKeyRefusedUniformly(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.AnonymousRead = true })
	issue := func(life time.Duration) (id, secret string) {
		r := w.done("/v1/keys", w.as(domain.Officer), keyFor(domain.Auditor, "", "x", life))
		return r.str("id"), r.str("secret")
	}
	expired, old := issue(time.Hour)
	w.ahead.Store(int64(2 * time.Hour))
	revoked, gone := issue(aDay)
	w.done("/v1/keys/"+revoked+"/revoke", w.as(domain.Ministry), `{}`)
	standing, good := issue(aDay)
	if r := w.get("/v1/keys", good); r.StatusCode != http.StatusOK || r.at("total") != 3.0 {
		t.Fatalf("%s %s", r.Status, r.text)
	}
	unknown := uuid.New()
	said := map[string]bool{}
	for secret, logged := range map[string]string{
		old:                                 "the service key " + expired + " is expired",
		gone:                                "the service key " + revoked + " is revoked",
		good[:37] + strings.Repeat("0", 64): "it is not the service key " + standing,
		fmt.Sprintf("jlk_%x_", unknown[:]) + good[37:]: "there is no service key " + unknown.String(),
		"jlk_":                              "begins as a service key does and is none",
		good[:len(good)-1]:                  "it is not the service key " + standing,
		strings.ToUpper(good[4:36]):         "malformed",
		"jlk_" + standing + "_" + good[37:]: "begins as a service key does and is none",
	} {
		r := w.get("/v1/labs", secret)
		if r.StatusCode != http.StatusUnauthorized || !strings.Contains(w.logged.String(), logged) {
			t.Errorf("%s: %s %s\n%s", logged, r.Status, r.text, w.logged)
		}
		said[strings.ReplaceAll(r.text, r.Header.Get("X-Request-Id"), "")+r.Header.Get("WWW-Authenticate")] = true
	}
	if len(said) != 1 {
		t.Errorf("the answers differ: %v", said)
	}
	if strings.Contains(w.logged.String(), good[37:]) {
		t.Error("the log shows a secret")
	}
}

func TestKeyCannotEscalate(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	secret := func(by, body string) string { return w.done("/v1/keys", by, body).str("secret") }
	hosts := secret(w.as(domain.Host, host), keyFor(domain.Host, host, "h", aDay))
	partners := secret(w.as(domain.Partner, partner), keyFor(domain.Partner, partner, "p", aDay))
	directors := secret(hosts, keyFor(domain.Director, host, "d", aDay))
	auditors := secret(w.as(domain.Officer), keyFor(domain.Auditor, "", "a", aDay))
	ministrys := secret(w.as(domain.Ministry), keyFor(domain.Ministry, "", "m", aDay))
	officers := secret(ministrys, keyFor(domain.Officer, "", "o", aDay))
	head := w.head()
	for _, c := range []struct {
		name, token, body string
		status            int
	}{
		{"nobody", "", keyFor(domain.Auditor, "", "x", aDay), 401},
		{"an officer, of the ministry", w.as(domain.Officer), keyFor(domain.Ministry, "", "x", aDay), 403},
		{"an officer, of an officer", w.as(domain.Officer), keyFor(domain.Officer, "", "x", aDay), 403},
		{"an officer's key, of an agency", officers, keyFor(domain.Agency, "", "x", aDay), 403},
		{"a host, of an officer", w.as(domain.Host, host), keyFor(domain.Officer, host, "x", aDay), 403},
		{"a host's key, of the ministry", hosts, keyFor(domain.Ministry, host, "x", aDay), 403},
		{"a host's key, of another's", hosts, keyFor(domain.Host, partner, "x", aDay), 403},
		{"a partner's key, of a host", partners, keyFor(domain.Host, partner, "x", aDay), 403},
		{"a director's key", directors, keyFor(domain.Director, host, "x", aDay), 403},
		{"an auditor's key", auditors, keyFor(domain.Auditor, "", "x", aDay), 403},
		{"an agency", w.as(domain.Agency), keyFor(domain.Agency, "", "x", aDay), 403},
		{"for good", w.as(domain.Ministry), keyFor(domain.Auditor, "", "x", key.MaxLife+time.Hour), 422},
		{"without an end", w.as(domain.Ministry), strings.Replace(keyFor(domain.Auditor, "", "x", aDay), `"expires"`,
			`"until"`, 1), 422},
		{"with a hash of their own", w.as(domain.Ministry),
			strings.Replace(keyFor(domain.Auditor, "", "x", aDay), `{`, `{"hash":"00",`, 1), 422},
		{"as somebody else", w.as(domain.Ministry), keyFor(domain.Auditor, "", "service:x", aDay), 422},
		{"for nobody on record", w.as(domain.Ministry), keyFor(domain.Host, uuid.NewString(), "x", aDay), 422},
	} {
		r := w.post("/v1/keys", c.token, c.body)
		if r.StatusCode != c.status || r.at("secret") != nil || r.str("detail_zh") == "" {
			t.Errorf("%s: %s %s", c.name, r.Status, r.text)
		}
	}
	if w.head() != head {
		t.Error("something was recorded")
	}
}

func TestKeyVisibility(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.AnonymousRead = true })
	host, partner := w.parties()
	id := w.done("/v1/keys", w.as(domain.Officer), keyFor(domain.Host, host, "grants", aDay)).str("id")
	registers := w.done("/v1/keys", w.as(domain.Officer), keyFor(domain.Auditor, "", "audit", aDay)).str("id")
	none := uuid.NewString()
	for _, c := range []struct {
		token       string
		see, revoke int
		total       float64
	}{
		{w.as(domain.Partner, partner), 404, 403, 0},
		{w.as(domain.Host, partner), 404, 403, 0},
		{w.as(domain.Director, partner), 404, 403, 0},
		{w.as(domain.Agency), 404, 403, 0},
		{w.as(domain.Auditor), 200, 403, 2},
		{w.as(domain.Director, host), 200, 403, 1},
		{"", 401, 401, 0},
		{w.as(domain.Host, host), 200, 200, 1}, // last, since it revokes
	} {
		see, all := w.get("/v1/keys/"+id, c.token), w.get("/v1/keys", c.token)
		if see.StatusCode != c.see || c.token != "" && all.at("total") != c.total {
			t.Errorf("%s\n%s %s", all.text, see.Status, see.text)
		}
		other := w.get("/v1/keys/"+none, c.token)
		for _, matching := range []string{"X: y", `If-Match: "7"`} {
			r, r2 := w.post("/v1/keys/"+id+"/revoke", c.token, `{}`, matching),
				w.post("/v1/keys/"+none+"/revoke", c.token, `{}`, matching)
			if c.revoke != 200 && (r.StatusCode != c.revoke || r.str("detail") != r2.str("detail") ||
				r.StatusCode != r2.StatusCode) {
				t.Errorf("%s %s\n%s %s", r.Status, r.text, r2.Status, r2.text)
			}
			if c.revoke == 200 && r.StatusCode != http.StatusOK && r.str("code") != "wrong-state" &&
				r.str("code") != "stale-revision" {
				t.Errorf("%s %s", r.Status, r.text)
			}
		}
		if c.see == 404 && (other.StatusCode != 404 || other.str("detail") != see.str("detail")) {
			t.Errorf("that it is there shows: %s\n%s", see.text, other.text)
		}
		if c.total == 1 {
			if r := w.get("/v1/keys/"+registers, c.token); r.StatusCode != http.StatusNotFound {
				t.Errorf("a key for no legal entity: %s %s", r.Status, r.text)
			}
		}
	}
	if r := w.get("/v1/keys/"+id, w.as(domain.Auditor)); r.str("state") != "revoked" {
		t.Errorf("%s", r.text)
	}
}

// faulty is a store that does not answer while it is away.
type faulty struct {
	eventstore.Store
	away atomic.Bool
}

func (f *faulty) Load(ctx context.Context, s eventstore.Stream, after eventstore.Version) ([]eventstore.Recorded,
	eventstore.Version, error) {
	if f.away.Load() {
		return nil, eventstore.Version{}, fmt.Errorf("load %s: %w", s, eventstore.ErrUnavailable)
	}
	return f.Store.Load(ctx, s, after)
}

func TestKeyStoreUnavailable(t *testing.T) {
	w := newWorld(t)
	secret := w.done("/v1/keys", w.as(domain.Officer), keyFor(domain.Auditor, "", "x", aDay)).str("secret")
	store := &faulty{Store: w.log}
	n := w.secondNode(store)
	store.away.Store(true)
	if r := n.get("/v1/labs", secret); r.StatusCode != http.StatusServiceUnavailable ||
		r.str("code") != "store-unavailable" || r.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s", r.Status, r.text)
	}
	if r := n.get("/v1/labs", w.as(domain.Auditor)); r.StatusCode != http.StatusOK {
		t.Errorf("a token: %s", r.Status)
	}
	store.away.Store(false)
	if r := n.get("/v1/labs", secret); r.StatusCode != http.StatusOK {
		t.Errorf("once it is back: %s %s", r.Status, r.text)
	}
}

func TestKeyGuessingIsLimited(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Limits = api.Limits{Rate: 0.5, Burst: 3} })
	secret := w.done("/v1/keys", w.as(domain.Officer), keyFor(domain.Auditor, "", "x", aDay)).str("secret")
	guess := secret[:37] + strings.Repeat("0", 64)
	for i, want := range []int{401, 401, 401, 429, 429} {
		if r := w.get("/v1/labs", guess); r.StatusCode != want {
			t.Errorf("guess %d: %s", i, r.Status)
		}
	}
	if r := w.get("/v1/labs", secret); r.StatusCode != http.StatusOK {
		t.Errorf("the holder, from the same address: %s", r.Status)
	}
}

func TestKeyLimit(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	h := w.as(domain.Host, host)
	var last response
	for i := range 50 {
		last = w.done("/v1/keys", h, keyFor(domain.Host, host, "s", aDay), fmt.Sprintf("Idempotency-Key: %d", i))
	}
	if r := w.post("/v1/keys", h, keyFor(domain.Host, host, "s", aDay)); r.str("code") != "wrong-state" {
		t.Errorf("%s %s", r.Status, r.text)
	}
	if r := w.post("/v1/keys", h, keyFor(domain.Host, host, "s", aDay),
		"Idempotency-Key: 49"); r.at("replayed") != true {
		t.Errorf("the last, sent again: %s %s", r.Status, r.text)
	}
	w.done("/v1/keys", w.as(domain.Partner, partner), keyFor(domain.Partner, partner, "s", aDay))
	w.done("/v1/keys/"+last.str("id")+"/revoke", h, `{}`)
	w.done("/v1/keys", h, keyFor(domain.Host, host, "s", aDay))
}
