package esdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// settings are the parameters of a connection string. The library passes over a
// name it does not know.
var settings = []string{
	"tls", "tlscafile", "tlsverifycert", "usercertfile", "userkeyfile",
	"nodepreference", "defaultdeadline", "discoveryinterval", "gossiptimeout",
	"maxdiscoverattempts", "keepaliveinterval", "keepalivetimeout",
}

// configure reads the connection string and refuses what the library would
// accept and then not do: an unknown or doubled setting, and credentials or a
// certificate that it would leave out without a word. No error repeats the
// string, which may hold a password.
func configure(cfg Config) (*client.Configuration, error) {
	_, query, _ := strings.Cut(cfg.URL, "?")
	given, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the settings after the ? of the EventStoreDB URL cannot be read; write name=value&name=value")
	}
	var seen []string
	for name, values := range given {
		name = strings.ToLower(name)
		if !slices.Contains(settings, name) {
			return nil, fmt.Errorf("%q is not a setting of an EventStoreDB URL; the settings are %s", name, strings.Join(settings, ", "))
		}
		if len(values) > 1 || slices.Contains(seen, name) {
			return nil, fmt.Errorf("the EventStoreDB URL says %s twice; say it once", name)
		}
		seen = append(seen, name)
	}
	c, err := client.ParseConnectionString(cfg.URL)
	if err != nil {
		var whole *url.Error // quotes the string
		if errors.As(err, &whole) {
			err = whole.Err
		}
		return nil, fmt.Errorf("the EventStoreDB URL cannot be read: %w; write esdb://user:password@host:2113, or esdb://host:2113?tls=false for a server without users", err)
	}
	switch {
	case c.DisableTLS && c.Username != "":
		return nil, errors.New("the EventStoreDB URL has a user and tls=false, so the user would not be sent; remove tls=false, or the user")
	case c.DisableTLS && c.UserCertFile != "":
		return nil, errors.New("the EventStoreDB URL has a user certificate and tls=false, so the certificate would not be sent; remove one of them")
	case c.Username != "" && c.Password == "":
		return nil, errors.New("the EventStoreDB URL has a user without a password, so neither would be sent; write user:password@host")
	}
	c.NodePreference = client.NodePreferenceLeader
	if !slices.Contains(seen, "maxdiscoverattempts") {
		c.MaxDiscoverAttempts = 1 // the next client tries again
	}
	if !slices.Contains(seen, "gossiptimeout") {
		c.GossipTimeout = 2
	}
	c.Logger = client.NoopLogging()
	if cfg.Logger != nil {
		levels := map[client.LogLevel]slog.Level{
			client.LogDebug: slog.LevelDebug, client.LogInfo: slog.LevelDebug,
			client.LogWarn: slog.LevelInfo, client.LogError: slog.LevelWarn,
		}
		c.Logger = func(level client.LogLevel, format string, args ...any) {
			cfg.Logger.Log(context.Background(), levels[level], "eventstoredb: "+fmt.Sprintf(format, args...))
		}
	}
	return c, c.Validate()
}
