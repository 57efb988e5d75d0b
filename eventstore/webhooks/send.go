package webhooks

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
)

// Outcome is what came of one attempt to deliver an event.
type Outcome string

// The outcomes of an attempt. Only Delivered is success.
const (
	Delivered   Outcome = "delivered"   // answered 2xx in time
	Refused     Outcome = "refused"     // answered another status
	Redirected  Outcome = "redirected"  // answered 3xx, which is not followed
	Gone        Outcome = "gone"        // answered 410
	Late        Outcome = "late"        // did not answer in time; it may have taken the event all the same
	Unreachable Outcome = "unreachable" // no connection, or one that broke
	Insecure    Outcome = "insecure"    // TLS failed: its certificate is not valid for the host
	Forbidden   Outcome = "forbidden"   // its name leads to an address that is not called
)

// Outcomes lists them all.
var Outcomes = []Outcome{Delivered, Refused, Redirected, Gone, Late, Unreachable, Insecure, Forbidden}

// Result is what one attempt came to.
type Result struct {
	Outcome    Outcome
	Status     int           // of the answer; 0: there was none
	Detail     domain.Text   // what happened, and what the receiver can do
	Answer     string        // the first bytes of the answer, where it is text
	RetryAfter time.Duration // what the receiver asked for, with 429 or 503; 0: nothing
}

const (
	connectTime = 5 * time.Second
	readBytes   = 4 << 10 // of an answer; more is not looked at
	keepBytes   = 200     // of an answer, in the log
	userAgent   = "jointlab-webhooks/1 (+https://www.standardwebhooks.com/)"
)

// client calls endpoints: directly, never further than it is told to, within
// limits of time and size.
func client(p Policy) *http.Client {
	dialer := &net.Dialer{Timeout: connectTime, KeepAlive: 30 * time.Second, Control: p.control}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: connectTime, DisableCompression: true,
			MaxResponseHeaderBytes: 16 << 10, MaxIdleConns: 100, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send makes one attempt. It fails only where no attempt was made, or was
// broken off because ctx ended.
func (d *Dispatcher) send(ctx context.Context, hook *webhook.Webhook, e eventstore.Recorded) (r Result, err error) {
	if why, ok := d.cfg.Policy.Check(hook.URL); !ok {
		return Result{Outcome: Forbidden, Detail: why}, nil
	}
	soon, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	soon, end := eventstore.SpanOf(soon, "deliver", e, attribute.String("jointlab.webhook", hook.ID.String()))
	defer func() {
		trace.SpanFromContext(soon).SetAttributes(attribute.String("jointlab.outcome", string(r.Outcome)))
		end(err)
	}()
	req, err := http.NewRequestWithContext(soon, http.MethodPost, hook.URL, bytes.NewReader(e.Body))
	if err != nil {
		return Result{}, fmt.Errorf("webhooks: call %s: %w", hook.URL, err)
	}
	now := d.cfg.Now()
	id := e.ID.String()
	req.Header = http.Header{
		"Content-Type":      {"application/cloudevents+json"},
		"User-Agent":        {userAgent},
		"Webhook-Id":        {id},
		"Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)},
		"Webhook-Signature": {d.key.signature(hook.ID, hook.Generations(now), id, now, e.Body)},
		"Jointlab-Position": {strconv.FormatUint(uint64(e.Position), 10)},
		"Jointlab-Webhook":  {hook.ID.String()},
	}
	if parent := eventstore.TraceParent(soon); parent != "" {
		req.Header.Set("Traceparent", parent)
	}
	if note := d.cfg.Checkpoint(); len(note) > 0 {
		req.Header.Set("Jointlab-Checkpoint", base64.StdEncoding.EncodeToString(note))
	}
	res, err := d.client.Do(req)
	if err == nil {
		defer res.Body.Close()
		var answer []byte
		if answer, err = io.ReadAll(io.LimitReader(res.Body, readBytes)); err == nil {
			return d.judge(res, answer, now), nil
		}
	}
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	return d.failure(err), nil
}

// judge returns the result that an answer means.
func (d *Dispatcher) judge(res *http.Response, answer []byte, now time.Time) Result {
	r := Result{Status: res.StatusCode, Answer: excerpt(res.Header.Get("Content-Type"), answer)}
	switch status := res.StatusCode; {
	case status >= 200 && status < 300:
		r.Outcome, r.Detail = Delivered, domain.Textf("对方答复 %d，已送达", "answered %d: delivered", status)
	case status >= 300 && status < 400:
		r.Outcome, r.Detail = Redirected, domain.Textf("对方答复 %d 要求转到别处；推送不跟随转址，请将网址改为最终地址", "answered %d, a redirect; redirects are not followed: change the URL to where it leads", status)
	case status == http.StatusGone:
		r.Outcome, r.Detail = Gone, domain.T("对方答复 410：端点已不存在；推送已停止，恢复后从此事件继续", "answered 410 Gone: delivery is stopped, and goes on with this event once it is resumed")
	default:
		r.Outcome, r.Detail = Refused, domain.Textf("对方答复 %d；只有 2xx 表示收到", "answered %d; only 2xx says that the event was taken", status)
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			r.RetryAfter = min(retryAfter(res.Header.Get("Retry-After"), now), d.cfg.MaxWait)
		}
	}
	return r
}

// failure returns why there is no answer.
func (d *Dispatcher) failure(err error) Result {
	var forbidden *forbiddenError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var dial *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &forbidden):
		return Result{Outcome: Forbidden, Detail: notPublic}
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &alert):
		return Result{Outcome: Insecure, Detail: domain.T("TLS 握手失败：证书无效、过期或与主机名不符", "TLS failed: the certificate is not valid, has expired, or is for another host")}
	case errors.As(err, &dial) && dial.Op == "dial": // nothing was sent, however long it took
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Result{Outcome: Late, Detail: domain.Textf("%s 内没有完整答复；对方可能已收到，将再次推送（请按 webhook-id 去重）", "no whole answer within %s; the event may have been taken, and is sent again (tell repeats by webhook-id)", d.cfg.Timeout)}
	}
	return Result{Outcome: Unreachable, Detail: domain.T("无法连接，或连接中断；请检查主机名、端口和服务是否正常", "no connection, or it broke; see that the host's name, the port and the service are right")}
}

// retryAfter reads the header of RFC 9110, 10.2.3: seconds, or a date.
func retryAfter(header string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// excerpt returns the beginning of an answer for people to read, or nothing where
// it is not text.
func excerpt(contentType string, answer []byte) string {
	media, _, _ := mime.ParseMediaType(contentType)
	if !strings.HasPrefix(media, "text/") && !strings.HasSuffix(media, "json") {
		return ""
	}
	answer = answer[:min(len(answer), keepBytes)]
	for i := 0; i < utf8.UTFMax && !utf8.Valid(answer) && len(answer) > 0; i++ {
		answer = answer[:len(answer)-1] // a character that was cut
	}
	if !utf8.Valid(answer) {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, string(answer))
}
