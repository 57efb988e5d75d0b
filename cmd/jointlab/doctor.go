package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/esdb"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/webhooks"
	"github.com/jointlab/jointlab/projections"
)

func doctorCommand() *cobra.Command {
	var where settings
	var server, token, key string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything, and say what to do · 体检",
		Long: `doctor checks a register in a folder that nobody serves: the folder and its keys,
the disk, the clock, the ledger's stream (settings, gaps, what it held when it was
last used), the Merkle tree and the signed checkpoint against every event, the read
model against another fold, the relay, the stream STATUS, deliveries, and every
document. It changes nothing that serve would not change at its start.

With --server it checks a running server, as far as that can be done over HTTP:
whether it is ready, its clock, certificate and version, and its log.

It prints a line for each check, ok, warning or wrong, and fails if anything is
wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{settings: where}
			if server != "" {
				d.overHTTP(cmd.Context(), client{strings.TrimSuffix(server, "/"), httpClient(), token}, key)
			} else {
				d.folder(cmd.Context())
			}
			if err := d.print(cmd.OutOrStdout(), asJSON); err != nil {
				return err
			}
			if n := d.count(wrong); n > 0 {
				return fmt.Errorf("%d checks found something wrong · %d 项有误", n, n)
			}
			return nil
		},
	}
	storeFlags(cmd, &where)
	cmd.Flags().StringVar(&server, "server", "", "address of a running server to check instead of a folder")
	cmd.Flags().StringVar(&token, "token", "", "token to ask that server with")
	cmd.Flags().StringVar(&key, "key", "", "the log's verifier key that you had before")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for machines")
	return cmd
}

// The outcomes of a check.
const (
	fine    = "ok"
	warning = "warning"
	wrong   = "wrong"
)

// checked is the outcome of one check, and what to do.
type checked struct {
	Check string      `json:"check"`
	State string      `json:"state"`
	Text  domain.Text `json:"text"`
}

// doctor collects the outcomes of checks.
type doctor struct {
	settings
	found []checked
}

func (d *doctor) add(check, state, zh, en string, args ...any) {
	d.found = append(d.found, checked{check, state, domain.Textf(zh, en, args...)})
}

// failed records that a check could not be made.
func (d *doctor) failed(check string, err error) {
	d.add(check, wrong, "无法检查：%s", "it cannot be checked: %s", err)
}

func (d *doctor) count(state string) (n int) {
	for _, f := range d.found {
		if f.State == state {
			n++
		}
	}
	return n
}

func (d *doctor) print(out io.Writer, asJSON bool) error {
	if asJSON {
		err := json.MarshalWrite(out, map[string]any{
			"checks": d.found, "wrong": d.count(wrong), "warnings": d.count(warning),
		}, json.Deterministic(true), jsontext.WithIndent("  "))
		fmt.Fprintln(out)
		return err
	}
	for _, f := range d.found {
		text := f.Text.Chinese()
		if en := f.Text.English(); en != text {
			text += " · " + en
		}
		fmt.Fprintf(out, "%-8s%-12s%s\n", f.State, f.Check, text)
	}
	return nil
}

// folder checks the register in a data folder.
func (d *doctor) folder(ctx context.Context) {
	d.add("version", fine, "%s", "%s", version())
	info, err := os.Stat(d.data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.add("folder", wrong, "没有文件夹 %s；请以 --data 指明登记簿所在", "there is no folder %s; name the register's with --data", d.data)
		return
	case err != nil:
		d.failed("folder", err)
		return
	case info.Mode().Perm()&0o077 != 0:
		d.add("folder", warning, "其他用户可进入 %[1]s；请运行 chmod 700 %[1]s", "others may enter %[1]s; run chmod 700 %[1]s", d.data)
	default:
		d.add("folder", fine, "%s 只有所有者可进入", "its owner alone may enter %s", d.data)
	}
	d.disk()
	d.keys()
	ledger, db, err := openLedger(ctx, d.settings, nil)
	if err != nil {
		d.add("ledger", wrong, "无法打开：%s", "it cannot be opened: %s", err)
		return
	}
	defer ledger.Close()
	if db != nil {
		defer db.Close()
	}
	d.ledger(ctx, ledger)
	d.log(ctx, ledger)
	d.model(ctx, ledger)
	d.relay(ctx, ledger, db)
	d.status(ctx, ledger)
	d.deliveries(ctx, ledger)
	if err := ledger.Persons().Check(ctx); err != nil {
		// A key that is well formed and wrong is not reported as ok besides.
		d.found = slices.DeleteFunc(
			d.found, func(c checked) bool { return c.Check == jetstream.PersonKeyFile && c.State == fine },
		)
		d.add("persons", wrong, "登记簿所载的人无法读取，也不能登记新的人：%s", "nobody named in the register can be read, and nobody named anew: %s", err)
	} else {
		d.add("persons", fine, "人员密钥可用", "the keys of persons can be used")
	}
}

// scarce is how many times the reserve must be free for the disk to pass.
const scarce = 16

func (d *doctor) disk() {
	free, known := jetstream.FreeBytes(d.data)
	switch mib := free >> 20; {
	case !known:
		d.add("disk", warning, "无法得知剩余空间；请自行查看", "how much room is left is not known here; look at it yourself")
	case free < jetstream.DefaultReserve:
		d.add("disk", wrong, "磁盘仅余 %d MiB，不再接受写入；请腾出空间", "%d MiB of the disk are left, and nothing is written; free some", mib)
	case free < scarce*jetstream.DefaultReserve:
		d.add("disk", warning, "磁盘余 %d MiB；请及早腾出空间", "%d MiB of the disk are left; free some before long", mib)
	default:
		d.add("disk", fine, "磁盘余 %d MiB", "%d MiB of the disk are free", mib)
	}
}

// keys checks the files of secrets. It makes none.
func (d *doctor) keys() {
	for _, name := range secretFiles {
		path := filepath.Join(d.data, name)
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			_, signed := os.Stat(filepath.Join(d.data, "log", "checkpoint"))
			if name == audit.KeyFile && signed == nil {
				d.add(name, wrong, "缺失，而检查点曾以它签署；请由密钥备份放回", "it is missing, and checkpoints were signed with it; put it back from the secrets (jointlab backup secrets)")
				continue
			}
			d.add(name, warning, "没有；serve 会新建一个。如曾有过，请由密钥备份放回", "there is none; serve makes one. If there was one, put it back from the secrets first")
			continue
		}
		if err == nil {
			switch name {
			case keyFile:
				_, err = api.LoadOrCreateKey(path)
			case audit.KeyFile:
				_, err = audit.LoadOrCreateKey(d.data, d.origin)
			case webhooks.KeyFile:
				_, err = webhooks.LoadOrCreateKey(path)
			case jetstream.PersonKeyFile:
				var text []byte
				if text, err = eventstore.SecretFile(path, nil); err == nil {
					err = jetstream.CheckPersonKey(string(text), nil)
				}
			}
		}
		if err != nil {
			d.add(name, wrong, "不可用：%s", "it cannot be used: %s", err)
			continue
		}
		d.add(name, fine, "可用，且只有所有者可读", "it can be used, and its owner alone may read it")
	}
}

func (d *doctor) ledger(ctx context.Context, ledger *jetstream.Ledger) {
	for _, p := range ledger.Problems() {
		d.add("ledger", wrong, "%s", "%s", p)
	}
	head, err := ledger.Head(ctx)
	if err != nil {
		d.failed("ledger", err)
		return
	}
	if len(ledger.Problems()) == 0 {
		d.add("ledger", fine, "%d 个事件，流的设置未变，没有缺失，与上次使用时一致", "%d events; the stream's settings are as made, no event is missing, and it is what it was when it was last used", head)
	}
}

// log compares every event with the tree, and with what was signed.
func (d *doctor) log(ctx context.Context, ledger *jetstream.Ledger) {
	key, err := os.ReadFile(filepath.Join(d.data, audit.KeyFile))
	if err != nil {
		d.add("log", warning, "没有 log.key，未核对签名日志", "without log.key the signed log is not checked")
		return
	}
	log, err := openLogOf(ledger, d.settings)
	if err != nil {
		d.failed("log", err)
		return
	}
	defer log.Close()
	events, err := log.Check(ctx, nil)
	if err != nil {
		d.add("log", wrong, "%s", "%s", err)
		return
	}
	c, signed := log.Checkpoint()
	own, err := audit.KeyIn(key)
	switch {
	case err != nil:
		d.failed("log", err)
	case !signed:
		d.add("log", fine, "树含 %d 个事件，尚未签署检查点", "the tree holds %d events, and no checkpoint was signed yet", events)
	case own != log.Key() && d.natsURL == "":
		d.add("log", wrong, "检查点以 %s 签署，而 log.key 是 %s；请放回正确的密钥", "checkpoints were signed with %s, and log.key is %s; put the right key back", log.Key(), own)
	case own != log.Key():
		d.add("log", warning, "检查点由其他节点以 %s 签署，本节点不签", "checkpoints are signed by another node, with %s; this one signs none", log.Key())
	default:
		d.add("log", fine, "%d 个事件与 Merkle 树及 %s 的检查点（%d 个事件）逐一相符", "each of %d events agrees with the Merkle tree and with the checkpoint of %s, of %d events", events, c.Origin, c.Size)
	}
}

// model compares the read model with another fold, the clock with what was
// recorded last, and documents with their digests.
func (d *doctor) model(ctx context.Context, ledger *jetstream.Ledger) {
	file := filepath.Join(d.data, modelFile)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		d.add("model", warning, "没有读模型；serve 会由事件建立", "there is no read model; serve builds it from the events")
	}
	model, err := projections.Open(ctx, file, ledger, ledger)
	if err != nil {
		d.failed("model", err)
		return
	}
	defer model.Close()
	report, err := projections.Verify(ctx, ledger, ledger, model)
	h := model.Health(ctx)
	switch err = cmp.Or(err, h.HeadError); {
	case err != nil:
		d.failed("model", err)
	case len(report.Differences) > 0:
		first := report.Differences[0]
		d.add("model", wrong, "与事件的折叠有 %d 处不同，首处为 %s %s；请运行 jointlab rebuild", "it differs from the fold of the events in %d places, the first being %s %s; run jointlab rebuild", len(report.Differences), first.What, first.Stream)
	case h.Position < h.Head:
		d.add("model", warning, "落后 %d 个事件，此前与事件的折叠相符；serve 会跟上", "it is %d events behind, and the fold of the events before; serve catches up", h.Head-h.Position)
	default:
		d.add("model", fine, "%d 个聚合，与事件的折叠相符，没有落后", "%d aggregates, as folded from the events, and not behind", report.Aggregates)
	}
	recorded, err := model.Recorded(ctx)
	if err != nil {
		d.failed("clock", err)
	} else if behind := time.Until(recorded); behind > eventstore.ClockTolerance {
		d.add("clock", wrong, "时钟比最近一次登记早 %s，不再接受写入；请校准", "the clock is %s before what was last recorded, and nothing is written; set it", behind.Round(time.Second))
	} else {
		d.add("clock", fine, "不早于最近一次登记", "it is not before what was last recorded")
	}
	held, missing, changed, err := verifyDocuments(ctx, io.Discard, model, ledger.Documents())
	switch {
	case err != nil:
		d.failed("documents", err)
	case changed > 0:
		d.add("documents", wrong, "%d 件已改变；以 jointlab verify 查明，并重新提交原件", "%d have changed; jointlab verify names them; hand in the genuine ones again", changed)
	case missing > 0:
		d.add("documents", warning, "保存 %d 件，%d 件从未提交（见 /v1/documents?state=missing）", "%d are held, %d were never handed in (/v1/documents?state=missing)", held, missing)
	default:
		d.add("documents", fine, "保存 %d 件，与摘要相符", "%d are held, and have their digests", held)
	}
}

func (d *doctor) relay(ctx context.Context, ledger *jetstream.Ledger, db *esdb.Store) {
	if db == nil {
		return
	}
	head, err := db.All().Head(ctx)
	last, err2 := ledger.RelayTarget().Last(ctx)
	switch err = errors.Join(err, err2); {
	case err != nil:
		d.failed("relay", err)
	case last.Source > head:
		d.add("relay", wrong, "账本已到 EventStoreDB 的 %d，而其末尾为 %d；以 jointlab compare 核对", "the ledger has come to %d of EventStoreDB, which ends at %d; compare them with jointlab compare", last.Source, head)
	case last.Source < head:
		d.add("relay", warning, "账本尚未取得 EventStoreDB %d 之后的事件；serve 会跟上", "the ledger lacks what EventStoreDB holds after %d; serve catches up", last.Source)
	default:
		d.add("relay", fine, "账本已含 EventStoreDB 的全部事件", "the ledger holds all that EventStoreDB does")
	}
}

func (d *doctor) status(ctx context.Context, ledger *jetstream.Ledger) {
	switch lag, err := ledger.StatusLag(ctx); {
	case err != nil:
		d.add("status", wrong, "订阅者的流 STATUS 不属于此账本，或无法读取：%s", "the subscribers' stream STATUS is not of this ledger, or cannot be read: %s", err)
	case lag > 0:
		d.add("status", warning, "流 STATUS 落后 %d 个状态事件；serve 会跟上", "the stream STATUS is %d status events behind; serve catches up", lag)
	default:
		d.add("status", fine, "流 STATUS 没有落后", "the stream STATUS is not behind")
	}
}

func (d *doctor) deliveries(ctx context.Context, ledger *jetstream.Ledger) {
	events, records, err := ledger.Undelivered(ctx)
	waiting, parked := 0, 0
	for _, r := range records {
		w, p, wrong := webhooks.Held(r)
		waiting, parked, err = waiting+w, parked+p, errors.Join(err, wrong)
	}
	switch {
	case err != nil:
		d.failed("webhooks", err)
	case waiting+parked > 0:
		d.add("webhooks", warning, "%d 个事件受阻，%d 个已搁置；见 /v1/webhooks", "%d events are held up and %d were given up; see /v1/webhooks", waiting, parked)
	default:
		d.add("webhooks", fine, "没有受阻或搁置的事件；队列中还有 %d 个", "no event is held up or was given up; %d are still in the queues", events)
	}
}

// overHTTP checks a running server.
func (d *doctor) overHTTP(ctx context.Context, c client, key string) {
	asked := time.Now()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/readyz", nil)
	if err != nil {
		d.failed("server", err)
		return
	}
	resp, text, err := c.answered(r)
	if err != nil {
		d.add("server", wrong, "没有应答：%s", "it does not answer: %s", err)
		return
	}
	d.ready(resp, text)
	// The Date header has whole seconds, and is from some time between.
	if date, err := http.ParseTime(resp.Header.Get("Date")); err != nil {
		d.add("clock", warning, "服务器没有说明时间", "the server does not say what time it is")
	} else if off := max(asked.Sub(date)-time.Second, time.Until(date)); off > eventstore.ClockTolerance {
		d.add("clock", wrong, "与本机相差 %s；请校准两者", "it differs from this machine's by %s; set whichever is wrong", off.Round(time.Second))
	} else {
		d.add("clock", fine, "与本机一致", "it agrees with this machine's")
	}
	d.certificate(resp.TLS)
	d.served(ctx, c)
	d.checkpoint(ctx, c, key)
}

func (d *doctor) ready(resp *http.Response, text []byte) {
	var state struct {
		Position uint64              `json:"position"`
		Errors   []domain.FieldError `json:"errors"`
	}
	err := json.Unmarshal(text, &state)
	switch {
	case err != nil:
		d.failed("server", fmt.Errorf("/readyz: %s", resp.Status))
	case resp.StatusCode == http.StatusOK:
		d.add("server", fine, "就绪，位置 %d", "it is ready at position %d", state.Position)
	case len(state.Errors) == 0:
		d.add("server", wrong, "未就绪：%s", "it is not ready: %s", resp.Status)
	}
	for _, e := range state.Errors {
		d.add(e.Path, wrong, "%s", "%s", e.Message)
	}
}

func (d *doctor) certificate(state *tls.ConnectionState) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return
	}
	switch ends := state.PeerCertificates[0].NotAfter; {
	case time.Until(ends) < 14*24*time.Hour:
		d.add("certificate", warning, "将于 %s 到期；请更新", "it ends on %s; renew it", ends.Format(time.DateOnly))
	default:
		d.add("certificate", fine, "有效至 %s", "it holds until %s", ends.Format(time.DateOnly))
	}
}

// served compares the server's version with this program's.
func (d *doctor) served(ctx context.Context, c client) {
	var document struct {
		Info struct {
			Version string `json:"version"`
		} `json:"info"`
	}
	switch err := c.get(ctx, "/openapi.json", &document); {
	case err != nil:
		d.failed("version", err)
	case document.Info.Version != version():
		d.add("version", warning, "服务器为 %s，本程序为 %s", "the server is %s, this program %s", document.Info.Version, version())
	default:
		d.add("version", fine, "%s", "%s", version())
	}
}

// checkpoint checks the log's newest checkpoint against a key.
func (d *doctor) checkpoint(ctx context.Context, c client, key string) {
	believed := key == ""
	if believed {
		var is struct {
			Key string `json:"key"`
		}
		if err := c.get(ctx, "/v1/audit/key", &is); err != nil {
			d.add("log", warning, "未核对：请以 --key 给出公钥，或以 --token 给出令牌（%s）", "it is not checked: give the verifier key with --key, or a token with --token (%s)", err)
			return
		}
		key = is.Key
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/log/checkpoint", nil)
	if err != nil {
		d.failed("log", err)
		return
	}
	resp, note, err := c.answered(r)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New("/log/checkpoint: " + resp.Status)
	}
	if err != nil {
		d.failed("log", err)
		return
	}
	signed, err := audit.OpenCheckpoint(note, key)
	switch {
	case err != nil:
		d.add("log", wrong, "检查点与公钥不符：%s", "the checkpoint does not bear out the key: %s", err)
	case believed:
		d.add("log", fine, "检查点含 %d 个事件；所用公钥来自服务器，请与您保存的比对：%s", "the checkpoint is of %d events; the key is the server's own word, so compare it with yours: %s", signed.Size, key)
	default:
		d.add("log", fine, "检查点含 %d 个事件，与所给公钥相符", "the checkpoint is of %d events, signed with the key given", signed.Size)
	}
}
