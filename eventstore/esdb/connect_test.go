package esdb

import (
	"strings"
	"testing"
)

func TestContradictoryURL(t *testing.T) {
	for url, says := range map[string]string{
		"esdb://admin:secret@host:2113?tls=false":              "remove tls=false, or the user",
		"esdb://host?tls=false&userCertFile=/a&userKeyFile=/b": "certificate",
		"esdb://admin@host":                                    "without a password",
		"esdb://host?tsl=false":                                `"tsl" is not a setting`,
		"esdb://host?tls=true&TLS=false":                       "twice",
		"esdb://host?tls=maybe":                                "true or false",
		"esdb://host?userCertFile=/a":                          "userKeyFile",
		"http://host":                                          "scheme",
		"esdb://admin:secret@:99999999999999999999x":           "cannot be read",
		"esdb://admin:se\x7fcret@host":                         "cannot be read",
		"esdb://host?tlsCaFile=/there/is/none":                 "cannot be read",
		"esdb://admin:secret@h1:1,h2:2?tls=false":              "remove tls=false, or the user",
		"":                                 "cannot be read",
		"esdb://admin:secret@host?tls=%zz": "cannot be read",
		"esdb+discover://admin:secret@host?keepAliveInterval=5&tls=false": "remove tls=false, or the user",
	} {
		_, err := Open(Config{URL: url})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", url, err, says)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error says the password: %v", url, err)
		}
	}
	for _, url := range []string{
		"esdb://host", "esdb://admin:changeit@host:2113", "esdb://h1:1,h2:2,h3:3?tls=false",
		"esdb+discover://admin:changeit@cluster?tlsVerifyCert=false", "esdb://host?userCertFile=/a&userKeyFile=/b",
	} {
		s, err := Open(Config{URL: url})
		if err != nil {
			t.Errorf("%q: %v", url, err)
			continue
		}
		s.Close()
	}
}
