package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
)

// FuzzCommandBody sends any body to any command. Every error is the sender's, and a
// refused body records nothing.
func FuzzCommandBody(f *testing.F) {
	w := newWorld(f)
	host, partner := w.parties()
	lab := w.incubating(host, partner, "2023-06-01")
	commands := api.Commands()
	tokens := map[domain.Role]string{}
	for _, role := range domain.Roles {
		tokens[role] = w.as(role, map[bool]string{true: partner, false: host}[role == domain.Partner])
	}
	for i := range commands {
		f.Add(uint8(i), []byte(`{}`))
		f.Add(uint8(i), []byte(`{"on":"2024-01-01","ground":{"zh":"x"},"document":"`+digest+`"}`))
	}
	for body, name := range map[string]string{
		proposal(host): "lab-propose", agreement(host, partner): "lab-draft-agreement",
		signature(host, "2024-01-01"): "lab-sign-agreement",
		chineseUniversity:             "entity-register",
		`{"party":"` + host + `","source":"own","quantity":{"cash":{"amount":"1.10",` +
			`"currency":"CNY"}}}`: "lab-pledge-commitment",
		`{"commitment":"F1","schedule":[{"due":"2024-01-01","quantity":{"cash":{"amount":"1.10",` +
			`"currency":"CNY"}}}]}`: "lab-schedule-instalments",
		`{"status":"OPERATING","construction":{"from":"2015","to":"2018-12"},` +
			`"basis":{"source":"x"}}`: "lab-record-history",
	} {
		for i, c := range commands {
			if c.ID() == name {
				f.Add(uint8(i), []byte(body))
			}
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		c := commands[int(n)%len(commands)]
		role := c.Roles[0]
		path := strings.NewReplacer("{lab}", lab, "{entity}", host).Replace(c.Path())
		if c.Creates {
			path = strings.NewReplacer("{lab}", uuid.NewString(), "{entity}", uuid.NewString()).Replace(c.Path())
		}
		head, err := w.log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", path, strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+tokens[role])
		r.Header.Set("Prefer", "respond-async")
		answer := httptest.NewRecorder()
		w.server.ServeHTTP(answer, r)
		if answer.Code >= 500 || answer.Code == 401 ||
			answer.Code == 403 && role != domain.Host && role != domain.Authority {
			t.Fatalf("%s: %d %s", c.ID(), answer.Code, answer.Body)
		}
		if now, err := w.log.Head(t.Context()); answer.Code >= 400 && (now != head || err != nil) {
			t.Fatalf("%s was refused and written: %d %s", c.ID(), answer.Code, answer.Body)
		}
	})
}
