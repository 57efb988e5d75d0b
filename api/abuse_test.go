package api_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/eventstore"
)

// fuzzer makes requests from the register's OpenAPI document, most of them invalid.
// One goroutine owns it.
type fuzzer struct {
	*secrets
	*rand.Rand
	operations []described
	components map[string]any
	places     map[string][]string // candidate values of a member or parameter of that name
	tokens     []bearerToken
	table      map[string]map[domain.Role]api.Relation
	valid      bool // this request is to be valid, as far as the document defines that
}

// described is an operation of the document with its parameters.
type described struct {
	operation
	params []map[string]any
	heavy  bool // answers with much of the register
}

// bearerToken is a token and its claims, zero if it is not valid.
type bearerToken struct {
	token  string
	role   domain.Role
	entity string
}

func (a *fuzzer) chance(percent int) bool { return a.IntN(100) < percent }

// breaks reports whether to make a valid part invalid.
func (a *fuzzer) breaks(percent int) bool { return a.chance(percent) && !a.valid }

func oneOf[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

// value returns a value that a schema accepts, or often one that it does not.
func (a *fuzzer) value(name string, schema map[string]any, depth int) any {
	if ref, ok := schema["$ref"].(string); ok {
		schema = a.components[strings.TrimPrefix(ref, "#/components/schemas/")].(map[string]any)
	}
	if a.breaks(4) {
		return a.anyValue()
	}
	if enum, ok := schema["enum"].([]any); ok && !a.breaks(3) {
		return oneOf(a.Rand, enum)
	}
	kind := schema["type"]
	if kinds, ok := kind.([]any); ok {
		kind = kinds[0]
	}
	switch kind {
	case "object":
		object := map[string]any{}
		required, _ := schema["required"].([]any)
		properties, _ := schema["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			must := slices.Contains(required, any(name))
			if must && !a.breaks(3) || !must && depth < 6 && a.chance(35) {
				object[name] = a.value(name, properties[name].(map[string]any), depth+1)
			}
		}
		if a.breaks(2) {
			object[oneOf(a.Rand, []string{"", "constructor", "__proto__", "$ref", "id", "汉字"})] = a.anyValue()
		}
		return object
	case "array":
		items, n := []any{}, a.IntN(3)
		if least, ok := schema["minItems"].(float64); ok {
			n = max(n, int(least))
		}
		if a.breaks(1) {
			n = 300
		}
		for range n {
			items = append(items, a.value(name, schema["items"].(map[string]any), depth+1))
		}
		return items
	case "integer", "number":
		least, _ := schema["minimum"].(float64)
		if a.valid {
			return least + float64(a.IntN(3))
		}
		return oneOf(a.Rand, []any{least, least + 1, least - 1, 0, 1, 2, 7, 100, 2024, -1,
			json.Number("9007199254740993"), json.Number("1e400"), 0.5})
	case "boolean":
		return a.chance(50)
	}
	return a.text(name, schema)
}

// text returns a string that a schema mostly accepts.
func (a *fuzzer) text(name string, schema map[string]any) string {
	if known := a.places[name]; known != nil && !a.breaks(10) {
		return oneOf(a.Rand, known)
	}
	switch schema["format"] {
	case "uuid":
		if a.breaks(30) {
			return oneOf(a.Rand, slices.Concat(a.places["event"], []string{uuid.NewString(), a.places["lab"][0]}))
		}
		return oneOf(a.Rand, a.places["entity"])
	case "date":
		if a.valid {
			return oneOf(a.Rand, []string{"2020-01-01", "2021-06-30", "2023-07-01", "2024-01-01", "2024-06-03"})
		}
		return oneOf(a.Rand, []string{"2024-02-29", "2023-02-29", "0000-00-00", "9999-12-31", "10000-01-01"})
	case "date-time":
		if a.valid {
			return "2024-08-01T00:00:00Z"
		}
		return oneOf(a.Rand, []string{"2024-08-01T00:00:00Z", "2024-06-03T04:00:00.5+08:00", "0001-01-01T00:00:00Z",
			"9999-12-31T23:59:59Z", "2024-13-01T00:00:00Z"})
	case "uri":
		if a.valid {
			return "http://127.0.0.1:1/"
		}
		return oneOf(a.Rand, []string{"http://127.0.0.1:1/", "http://127.0.0.1:1/%00", "file:///etc/passwd",
			"http://[::1", "javascript:alert(1)"}) // none that would be called
	}
	good := []string{"1", "1.50", "CNY", "2024", "2024-05", "A1", "A2", "R1", "F1", "D1", "M1", "zh", "A", "学", "环境", digest, "rename", "sign-agreement", "orcid:0000-0002-1825-0097"}
	if pattern, ok := schema["pattern"].(string); ok {
		if re, err := regexp.Compile(pattern); err == nil {
			good = slices.DeleteFunc(good, func(s string) bool { return !re.MatchString(s) })
		}
	}
	if len(good) == 0 || a.breaks(6) {
		return a.hostileText()
	}
	return oneOf(a.Rand, good)
}

// hostileText returns text of a kind that breaks parsers and stores.
func (a *fuzzer) hostileText() string {
	return oneOf(a.Rand, []string{
		"", " ", "\x00", "a\x00b", "\u202e\u200b\ufeff", "\xff\xfe", "\xed\xa0\x80", strings.Repeat("长", 5000), strings.Repeat("%", 300),
		"../../../etc/passwd", "..%2f..%2f", "%00", "'; DROP TABLE labs; --", "\" OR 1=1 --",
		"<script>alert(1)</script>", "{{7*7}}", "${jndi:x}",
		"=cmd|' /C calc'!A0", "{sealed:AAAA}", "*", "NEAR(", "\"", "-", "OR", "1e400", "-0", "٣", "𠮷",
		"NaN", "null", "true", "\r\nX-Injected: yes",
		fmt.Sprint(a.Uint64()), uuid.NewString(),
	})
}

// anyValue returns a value of any kind.
func (a *fuzzer) anyValue() any {
	switch a.IntN(9) {
	case 0:
		return nil
	case 1:
		return a.chance(50)
	case 2:
		return json.Number(oneOf(a.Rand, []string{"-1", "0", "1e400", "-9223372036854775809", "18446744073709551616",
			"0.1"}))
	case 3:
		return []any{}
	case 4:
		return map[string]any{}
	case 5:
		return []any{[]any{[]any{map[string]any{"": nil}}}}
	}
	return a.hostileText()
}

// body returns a body for an operation.
func (a *fuzzer) body(schema map[string]any) []byte {
	var text []byte
	if schema != nil {
		text, _ = json.Marshal(a.value("", schema, 0))
	}
	if a.breaks(20) {
		text = oneOf(a.Rand, []func() []byte{
			func() []byte { return nil },
			func() []byte { return []byte(`{"a":1,"a":2}`) },
			func() []byte { return []byte("{\"reason\":\"\xff\"}") },
			func() []byte { return []byte(`{"reason":"\ud800"}`) },
			func() []byte { return []byte(strings.Repeat("[", 100_000)) },
			func() []byte { return []byte(strings.Repeat(`{"a":`, 20_000)) },
			func() []byte { return append(text, "garbage"...) },
			func() []byte { return text[:len(text)*a.IntN(100)/100] },
			func() []byte { return []byte(`null`) },
			func() []byte { return []byte("\ufeff" + string(text)) },
			func() []byte { return []byte("<lab/>") },
			func() []byte {
				b := slices.Clone(text)
				for range 1 + a.IntN(4) {
					if len(b) > 0 {
						b[a.IntN(len(b))] = byte(a.IntN(256))
					}
				}
				return b
			},
		})()
	}
	if a.IntN(2000) == 0 {
		text = []byte(`{"reason":"` + strings.Repeat("x", 1<<20) + `"}`)
	}
	return text
}

// sent is a request and its allowed outcomes.
type sent struct {
	op     described
	by     bearerToken
	req    *http.Request
	method string
	path   string // as in the document; empty: not in the document
	broken bool   // the HTTP library may refuse it before the register sees it
	stream bool   // may never end
}

func (a *fuzzer) request(ctx context.Context, base string) (s sent) {
	s.op = oneOf(a.Rand, a.operations)
	for s.op.heavy && a.chance(90) {
		s.op = oneOf(a.Rand, a.operations)
	}
	s.by, s.method, s.path = oneOf(a.Rand, a.tokens), s.op.method, s.op.path
	a.valid = a.chance(60)
	for a.valid && s.by.token != "" || a.chance(60) {
		if _, may := a.table[s.op.id][s.by.role]; may && s.by.role != "" {
			break
		}
		s.by = oneOf(a.Rand, a.tokens)
	}
	path, query := s.op.path, url.Values{}
	header := http.Header{}
	for _, p := range s.op.params {
		name, _ := p["name"].(string)
		schema, _ := p["schema"].(map[string]any)
		required, _ := p["required"].(bool)
		if !required && !a.chance(25) {
			continue
		}
		if schema["type"] == "array" {
			schema = schema["items"].(map[string]any)
		}
		value := fmt.Sprint(a.value(name, schema, 5))
		switch p["in"] {
		case "path":
			if value == "" || a.breaks(3) {
				value = a.hostileText()
			}
			if path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value)); value == "" {
				s.path = "" // that is another path
			}
		case "query":
			query.Add(name, value)
			if a.breaks(2) {
				query.Add(name, a.hostileText())
			}
		case "header":
			header.Set(name, printableOnly(value))
		}
	}
	if _, ok := query["follow"]; ok || strings.HasSuffix(path, "-events") {
		query.Set("follow", "false")
	}
	if query.Has("cursor") {
		query.Set("cursor", base64.RawURLEncoding.EncodeToString([]byte(a.hostileText()+fmt.Sprint(a.IntN(100)))))
	}
	if a.breaks(3) {
		query.Set(a.hostileText(), a.hostileText())
	}
	if a.breaks(3) {
		if s.method = oneOf(a.Rand, []string{"DELETE", "PATCH", "PUT", "POST", "GET", "HEAD", "OPTIONS", "TRACE",
			"PROPFIND", "get"}); s.method != s.op.method {
			s.path = ""
		}
	}
	if a.breaks(3) {
		path, s.path = oneOf(a.Rand, []string{path + "/", "//" + path, path + "/..", "/v1/../v1/labs",
			"/v1/labs/%2e%2e/%2e%2e", "/v2/labs", "/.git/config", path + "%00", strings.ToUpper(path),
			"/v1/" + url.PathEscape(a.hostileText())}), ""
	}
	raw := query.Encode()
	if a.breaks(2) {
		raw, s.path = oneOf(a.Rand, []string{"%", "a=%zz", "&&&=", ";", "limit=1;limit=2",
			strings.Repeat("a=b&", 2000)}), ""
	}
	var body io.Reader
	if s.op.method != http.MethodGet {
		body = strings.NewReader(string(a.body(s.op.body)))
		header.Set("Content-Type", "application/json")
		if a.breaks(3) {
			header.Set("Content-Type", oneOf(a.Rand,
				[]string{"text/plain", "application/xml", "application/json; charset=utf-16", "multipart/form-data",
					"application/json, text/html", ";", "\"", "application/cloudevents+json"}))
		}
	}
	req, err := http.NewRequestWithContext(ctx, s.method, base+"/", body)
	if err != nil { // an invalid method
		s.method = http.MethodGet
		req, _ = http.NewRequestWithContext(ctx, s.method, base+"/", nil)
	}
	s.req = req
	req.URL.Opaque = path // sent as it is
	req.URL.RawQuery = raw
	if s.by.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.by.token)
	}
	maps.Copy(req.Header, header)
	for range a.IntN(3) {
		if a.valid {
			break
		}
		switch a.IntN(9) {
		case 0:
			req.Header.Set("If-Match", oneOf(a.Rand,
				[]string{`"0"`, `"3"`, "*", `W/"1"`, `"-1"`, `"99999999999999999999"`, "0", `"a","b"`}))
		case 1:
			req.Header.Set("Idempotency-Key", oneOf(a.Rand, []string{"k1", "k2", "k3", fmt.Sprint(a.IntN(50)), strings.Repeat("k", 201), "日", " "}))
		case 2:
			req.Header.Set("Accept", oneOf(a.Rand,
				[]string{"application/json", "*/*", "text/event-stream", "application/x-ndjson", "image/png", ";;;",
					"application/json;q=0"}))
			s.stream = s.method == http.MethodGet && strings.HasPrefix(req.Header.Get("Accept"), "text/event-stream") ||
				s.method == http.MethodGet && strings.HasPrefix(req.Header.Get("Accept"), "application/x-nd")
		case 3:
			req.Header.Set("Last-Event-ID", oneOf(a.Rand, []string{"0", "1", "-1", "9007199254740993", "x"}))
		case 4:
			req.Header.Set("Range", oneOf(a.Rand, []string{"bytes=0-1", "bytes=-1", "bytes=9-1", "lines=1-2"}))
		case 5:
			req.Header.Set("X-Request-Id", printableOnly(a.hostileText()))
		case 6:
			req.Header.Set("Prefer", oneOf(a.Rand, []string{"respond-async", "wait=0", ",;,"}))
		case 7:
			req.Header.Set("If-None-Match", oneOf(a.Rand, []string{`"0"`, "*", `W/"1", "2"`}))
		case 8:
			if a.chance(5) {
				s.broken = true // more headers than the server takes
				for i := range 900 {
					req.Header.Set(fmt.Sprintf("X-Flood-%d", i), strings.Repeat("x", 60))
				}
			} else {
				req.Header.Add("Authorization", "Basic YTpi")
				s.by = bearerToken{} // a repeated header does not authenticate
			}
		}
	}
	return s
}

// printableOnly returns the characters of s that a header may hold.
func printableOnly(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
}

// forgeries returns tokens that authenticate no caller.
func (s *secrets) forgeries() (all []bearerToken) {
	part := func(v any) string {
		text, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	claims := map[string]any{"iss": api.Issuer, "aud": api.Audience, "sub": "mallory", "role": "ministry", "exp": 4e9}
	none := part(map[string]any{"alg": "none"}) + "." + part(claims) + "."
	signed := part(map[string]any{"alg": "HS256"}) + "." + part(claims)
	mac := hmac.New(sha256.New, s.world.key.Public().(ed25519.PublicKey))
	mac.Write([]byte(signed))
	_, foreign, _ := ed25519.GenerateKey(nil)
	other, err := api.NewSigner(foreign, s.clock).Issue(api.Claims{Subject: "mallory", Role: domain.Ministry},
		time.Hour)
	if err != nil {
		s.Fatal(err)
	}
	past := api.NewSigner(s.world.key, func() time.Time { return s.clock().Add(-2 * time.Hour) })
	expired, err := past.Issue(api.Claims{Subject: "mallory", Role: domain.Ministry}, time.Hour)
	if err != nil {
		s.Fatal(err)
	}
	own := s.as(domain.Expert)
	head, rest, _ := strings.Cut(own, ".")
	_, seal, _ := strings.Cut(rest, ".")
	for _, token := range []string{
		"", "x", "a.b.c", none, signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), other, expired,
		head + "." + part(claims) + "." + seal, own[:len(own)-2], strings.Repeat("a.", 3000),
		"jlk_" + strings.Repeat("0", 32) + "_" + strings.Repeat("0", 64),
		"jlk_" + strings.ReplaceAll(s.key, "-", "") + "_" + strings.Repeat("0", 64),
	} {
		all = append(all, bearerToken{token: token})
	}
	return all
}

// verdict is the outcome of a request.
type verdict struct {
	status int
	events []string // ids of the events it recorded
}

// judge sends a request, and returns the outcome and what is wrong with the answer.
func (a *fuzzer) judge(client *http.Client, doc *openapi3.T, s sent) (v verdict, fault string) {
	res, err := client.Do(s.req)
	if err != nil {
		if s.broken || s.req.Context().Err() != nil && s.stream {
			return v, ""
		}
		// The library does not send invalid headers and methods.
		if strings.Contains(err.Error(), "invalid") || strings.Contains(err.Error(), "malformed") {
			return v, ""
		}
		return v, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	v.status = res.StatusCode
	media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	switch {
	case err != nil && !s.stream:
		return v, "the answer is cut off: " + err.Error()
	case s.broken, s.method == http.MethodHead:
		return v, ""
	case media == "text/plain" && (v.status == http.StatusBadRequest ||
		v.status == http.StatusRequestHeaderFieldsTooLarge):
		return v, "" // not HTTP, or more than the server reads
	case v.status >= 500:
		return v, "a server error: " + a.requestLog(res.Header.Get("X-Request-Id"))
	case strings.Contains(string(text), "{sealed:") && media == "application/json":
		return v, "a seal is shown"
	case v.status >= 400:
		var p struct {
			Type, Title, Code, Detail string
			Status                    int
		}
		if err := json.Unmarshal(text, &p); err != nil || media != "application/problem+json" || p.Status != v.status ||
			p.Code == "" || p.Type != "/problems/"+p.Code || p.Title == "" {
			return v, "no problem document"
		}
	}
	if v.status < 300 && s.method == http.MethodPost && media == "application/json" {
		var recorded struct{ Events []struct{ ID string } }
		_ = json.Unmarshal(text, &recorded)
		for _, e := range recorded.Events {
			v.events = append(v.events, e.ID)
		}
	}
	if s.path == "" {
		return v, ""
	}
	return v, undocumented(doc, s.method, s.path, res, text)
}

// undocumented returns how an answer differs from the document, empty if it conforms.
func undocumented(doc *openapi3.T, method, path string, res *http.Response, text []byte) (fault string) {
	answer := doc.Paths.Find(path).GetOperation(method).Responses.Value(strconv.Itoa(res.StatusCode))
	if answer == nil {
		return "a status that is not documented"
	}
	media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	content := answer.Value.Content.Get(res.Header.Get("Content-Type"))
	if media == "application/json" && content != nil {
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			return err.Error()
		}
		if err := content.Schema.Value.VisitJSON(value, openapi3.VisitAsResponse()); err != nil {
			return "not as documented: " + err.Error()
		}
	} else if content == nil && len(text) > 0 && res.StatusCode < 300 {
		return "a media type that is not documented: " + media
	}
	return ""
}

// requestLog returns the log lines of a request.
func (s *secrets) requestLog(id string) (lines string) {
	for line := range strings.Lines(s.logged.String()) {
		if strings.Contains(line, id) {
			lines += line
		}
	}
	return lines
}

// TestRandomRequestsNeverCrashOrEscalate draws its requests from the seed
// JOINTLAB_TEST_SEED, or from a random one.
func TestRandomRequestsNeverCrashOrEscalate(t *testing.T) {
	number, seed := domaintest.Runs(2000, 50_000), uint64(time.Now().UnixNano())
	if text := os.Getenv("JOINTLAB_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("JOINTLAB_TEST_SEED: %v", err)
		}
	}
	t.Logf("%d requests, JOINTLAB_TEST_SEED=%d", number, seed)
	s := newSecrets(t)
	s.deliver()
	operations, components := s.operations()
	raw := s.get("/openapi.json", "")
	doc, err := openapi3.NewLoader().LoadFromData([]byte(raw.text))
	if err != nil {
		t.Fatal(err)
	}
	var described []described
	for _, op := range operations {
		described = append(described, describe(raw.body, op))
	}
	tokens := append(s.forgeries(), bearerToken{})
	for range 3 {
		for _, c := range s.callers {
			if c.role != api.Anonymous {
				tokens = append(tokens, bearerToken{s.bearer(c), c.role, c.entity})
			}
		}
	}
	places := map[string][]string{
		"lab": slices.Sorted(maps.Values(s.labs)), "entity": {s.host, s.partner, s.home, s.abroad},
		"programme": {strings.TrimPrefix(theProgramme, "/v1/programmes/")},
		"webhook":   {s.webhook}, "key": {s.key}, "person": {s.person}, "ref": {s.person}, "agreement": {"A1"},
		"item": {"R1", "R2", "R3"}, "commitment": {"F1", "F2", "F3"},
		"digest": {digest}, "document": {digest}, "evidence": {digest}, "currency": {"CNY", "EUR", "JPY"},
		"amount": {"1.50", "100", "0.5"}, "country": {"CN", "DE", "JP"}, "lang": {"zh", "en"},
		"command": {"rename", "set-discipline", "sign-agreement"}, "party": {s.host, s.partner}, "host": {s.host},
	}
	start := s.head()
	for _, item := range s.get("/v1/events?limit=40", s.as(domain.Auditor)).at("items").([]any) {
		places["event"] = append(places["event"], item.(map[string]any)["id"].(string))
	}

	table := s.table()
	var mu sync.Mutex
	statuses, recorded, faults := map[int]int{}, map[string]string{}, 0
	work := make(chan int)
	var running sync.WaitGroup
	quiet := runtime.NumGoroutine()
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for range 8 {
		running.Go(func() {
			for i := range work {
				a := &fuzzer{
					secrets: s, Rand: rand.New(rand.NewPCG(seed, uint64(i))), operations: described,
					components: components, places: places, tokens: tokens, table: table,
					valid: false,
				}
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
				request := a.request(ctx, s.url)
				if request.stream {
					time.AfterFunc(500*time.Millisecond, cancel)
				}
				v, fault := a.judge(client, doc, request)
				cancel()
				may, listed := table[request.op.id][request.by.role]
				if fault == "" && v.status > 0 && v.status < 300 && request.path != "" &&
					(!listed || request.by.role == "") {
					fault = "done for somebody who may not: " + string(may)
				}
				mu.Lock()
				statuses[v.status]++
				for _, id := range v.events {
					recorded[id] = request.op.id
				}
				if fault != "" {
					if faults++; faults <= 20 {
						t.Errorf("request %d: %s %s by %q: %d: %s", i, request.method,
							clipped(request.req.URL.String()), request.by.role, v.status, clipped(fault))
					}
				}
				mu.Unlock()
			}
		})
	}
	for i := range number {
		work <- i
	}
	close(work)
	running.Wait()
	sendGarbage(t, strings.TrimPrefix(s.url, "http://"))

	if r := s.get("/readyz", ""); r.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %s", r.text)
	}
	if log := s.logged.String(); strings.Contains(log, "panic") || strings.Contains(log, "broken off") {
		t.Error("the log tells of a panic")
	}
	written := 0
	if err := s.log.Read(t.Context(), start, s.head(), func(events []eventstore.Recorded) error {
		for _, e := range events {
			d, err := eventstore.Decode(e.Body)
			if err != nil {
				return err
			}
			written++
			s.checkRecorded(e.Position, d, recorded[e.ID.String()], table)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	transport.CloseIdleConnections()
	deadline := time.Now().Add(5 * time.Minute)
	webhooks, _ := s.get("/v1/webhooks", s.as(domain.Auditor)).at("total").(float64)
	for quiet += 10 + 10*int(webhooks); runtime.NumGoroutine() > quiet; { // each webhook has its own goroutine
		if runtime.Gosched(); time.Now().After(deadline) {
			t.Errorf("%d goroutines, %d expected", runtime.NumGoroutine(), quiet)
			break
		}
	}
	t.Logf("%d requests: %v; %d events recorded, each for who may", number, statuses, written)
	if statuses[200]+statuses[201] < number/100 || written == 0 {
		t.Error("hardly a request was good, so little was tried")
	}
}

// checkRecorded fails the test for an event that no answer reported, or that its actor
// was not allowed to record in the state before it.
func (s *secrets) checkRecorded(at eventstore.Position, d eventstore.Decoded, operation string,
	table map[string]map[domain.Role]api.Relation) {
	s.Helper()
	actor := d.Meta.Actor
	relation, listed := table[operation][actor.Role]
	if operation == "" || !listed {
		s.Errorf("%s in %s was recorded by %s, answered by %q", d.Type, d.Stream, actor.Role, operation)
		return
	}
	is := relation == api.Any
	switch {
	case is:
	case d.Stream.Kind == "lab":
		if d.Type != "lab.record.proposed.v1" {
			at--
		}
		l := s.get(fmt.Sprintf("/v1/labs/%s?as_of=%d", d.Stream.ID, at), s.as(domain.Auditor))
		if l.StatusCode != http.StatusOK {
			s.Fatalf("the lab at position %d cannot be asked for: %s %s", at, l.Status, l.text)
		}
		is = l.str("document.host.id") == actor.OnBehalfOf.String()
		if agreements, _ := l.at("document.agreements").([]any); relation == api.Party {
			text, _ := json.Marshal(agreements)
			is = is || strings.Contains(string(text), actor.OnBehalfOf.String())
		}
	case d.Stream.Kind == "webhook":
		w, _, _, err := s.model.Webhook(s.Context(), d.Stream.ID)
		is = err == nil && w.Owner == actor
	case d.Stream.Kind == "key":
		k, _, _, err := s.model.Key(s.Context(), d.Stream.ID)
		is = err == nil && k.OnBehalfOf.ID == actor.OnBehalfOf
	default:
		is = d.Stream.ID == actor.OnBehalfOf
	}
	if !is {
		s.Errorf("position %d: %s in %s was recorded by a %s for %s, whose it is not", at, d.Type, d.Stream, actor.Role,
			actor.OnBehalfOf)
	}
}

// sendGarbage sends bytes that are not HTTP.
func sendGarbage(t *testing.T, address string) {
	for _, text := range []string{"\x00\x01\x02", "GET", "GET / HTTP/9.9\r\n\r\n",
		"GET /v1/labs HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"POST /v1/labs HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: " +
			"chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
		"POST /v1/labs HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
		"GET /v1/labs\x00 HTTP/1.1\r\nHost: a\r\n\r\n"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(5 * time.Minute))
		io.WriteString(conn, text)
		conn.(*net.TCPConn).CloseWrite()
		if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil && !strings.Contains(line, " 4") &&
			!strings.Contains(line, " 505") {
			t.Errorf("%q is answered %q", text, line)
		}
		conn.Close()
	}
}

func clipped(s string) string { return s[:min(len(s), 600)] }

// describe returns an operation with its parameters and its weight.
func describe(doc map[string]any, op operation) described {
	d := described{operation: op, heavy: slices.Contains([]string{"audit-pack", "audit-backup", "get-snapshot",
		"get-delta", "webhook-test"}, op.id) || strings.HasSuffix(op.id, "-xlsx")}
	path := doc["paths"].(map[string]any)[op.path].(map[string]any)
	params, _ := path[strings.ToLower(op.method)].(map[string]any)["parameters"].([]any)
	for _, p := range params {
		d.params = append(d.params, p.(map[string]any))
	}
	return d
}
