package jetstream

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
)

const (
	documentBucket = "jointlab-documents"
	documentStream = "OBJ_" + documentBucket
	documentMeta   = "$O." + documentBucket + ".M."
	documentChunks = "$O." + documentBucket + ".C."
	chunkBytes     = 128 << 10
)

// Documents keeps documents by digest, in an object store on the ledger's own
// server: the bucket jointlab-documents, which any NATS client reads. A document
// is listed only once all of it is synced to disk, under a name that is its
// digest, so it can be there twice by no means, and what is read is hashed anew.
//
// It reads and writes the bucket's messages itself. The client's own Put sends
// a whole object ahead of the acknowledgements, and lists it although a part was
// refused; its Get waits for parts that are gone, and may ask a server that
// lags behind.
type Documents struct {
	ledger *Ledger
	marker string // a file that marks that the bucket existed once; "": none
	mu     sync.Mutex
	stream natsjs.Stream // nil: not found yet
}

// Documents is the store of documents beside the ledger.
func (l *Ledger) Documents() *Documents { return l.documents }

func newDocuments(l *Ledger, dir string) *Documents {
	d := &Documents{ledger: l}
	if dir != "" {
		d.marker = filepath.Join(dir, "documents-kept")
	}
	return d
}

// bucket finds the bucket's stream, and makes it if asked to and if there never
// was one. Without one it returns nil.
func (d *Documents) bucket(ctx context.Context, create bool) (natsjs.Stream, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stream != nil {
		return d.stream, nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.ledger.answer)
	defer cancel()
	stream, err := d.ledger.js.Stream(ctx, documentStream)
	if errors.Is(err, natsjs.ErrStreamNotFound) {
		if err := d.neverThere(); err != nil || !create {
			return nil, err
		}
		stream, err = d.ledger.js.CreateStream(ctx, natsjs.StreamConfig{
			Name:        documentStream,
			Description: "jointlab: documents that events refer to, by their digests. Never edit, purge or delete.",
			Subjects:    []string{documentChunks + ">", documentMeta + ">"},
			Storage:     natsjs.FileStorage,
			Discard:     natsjs.DiscardNew,
			MaxMsgs:     -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1,
			Replicas:    d.ledger.replicas,
			Duplicates:  2 * time.Minute,
			AllowRollup: true,  // of a document's own entry, which is how a bucket replaces it
			AllowDirect: false, // the leader answers, which has all that was acknowledged
		})
	}
	if err != nil {
		return nil, unavailable(ctx, "find the documents", err)
	}
	if d.marker != "" {
		if err := os.WriteFile(d.marker, []byte(documentStream+"\n"), 0o600); err != nil {
			return nil, fmt.Errorf("jetstream: remember the documents: %w", err)
		}
	}
	d.stream = stream
	return stream, nil
}

// neverThere refuses to begin anew where documents were kept before.
func (d *Documents) neverThere() error {
	if _, err := os.Stat(d.marker); d.marker != "" && err == nil {
		return fmt.Errorf("jetstream: %w: stream %s held documents and is gone; restore it from a backup, or remove %s to begin without them", eventstore.ErrUnavailable, documentStream, d.marker)
	}
	if d.ledger.server != nil {
		if err := d.ledger.server.checkEmpty(documentStream); err != nil {
			return fmt.Errorf("jetstream: %w: %w", eventstore.ErrUnavailable, err)
		}
	}
	return nil
}

// entry is a document's own message in the bucket.
type entry struct {
	info natsjs.ObjectInfo
	seq  uint64 // 0: there is none
}

func metaSubject(digest eventstore.Digest) string {
	return documentMeta + base64.URLEncoding.EncodeToString([]byte(hex.EncodeToString(digest[:])))
}

// find reads a document's entry. One that cannot be read is ErrDocumentChanged.
func (d *Documents) find(ctx context.Context, digest eventstore.Digest, create bool) (natsjs.Stream, entry, error) {
	stream, err := d.bucket(ctx, create)
	if stream == nil || err != nil {
		return nil, entry{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.ledger.answer)
	defer cancel()
	m, err := stream.GetLastMsgForSubject(ctx, metaSubject(digest))
	switch {
	case errors.Is(err, natsjs.ErrMsgNotFound):
		return stream, entry{}, nil
	case err != nil:
		return nil, entry{}, unavailable(ctx, "find "+digest.String(), err)
	}
	e := entry{seq: m.Sequence}
	if err := json.Unmarshal(m.Data, &e.info); err != nil {
		return stream, e, fmt.Errorf("jetstream: find %s: %w: its entry cannot be read: %w", digest, eventstore.ErrDocumentChanged, err)
	}
	e.info.ModTime = m.Time
	return stream, e, nil
}

// Stat returns the facts about a document that is held, ErrDocumentMissing
// otherwise. It does not look at the bytes.
func (d *Documents) Stat(ctx context.Context, digest eventstore.Digest) (eventstore.Document, error) {
	_, e, err := d.find(ctx, digest, false)
	if err == nil && (e.seq == 0 || e.info.Deleted) {
		err = fmt.Errorf("jetstream: find %s: %w", digest, eventstore.ErrDocumentMissing)
	}
	return eventstore.Document{Digest: digest, Size: int64(e.info.Size), Type: e.info.Metadata["type"], Stored: e.info.ModTime}, err
}

// all returns the facts about the documents that are held.
func (d *Documents) all(ctx context.Context) (held []eventstore.Document, err error) {
	stream, err := d.bucket(ctx, false)
	if stream == nil || err != nil {
		return nil, err
	}
	info, err := stream.Info(ctx, natsjs.WithSubjectFilter(documentMeta+"*"))
	if err != nil {
		return nil, unavailable(ctx, "list the documents", err)
	}
	for subject := range info.State.Subjects {
		name, err := base64.URLEncoding.DecodeString(strings.TrimPrefix(subject, documentMeta))
		digest, err2 := eventstore.ParseDigest("sha256:" + string(name))
		if errors.Join(err, err2) != nil {
			continue // another client put it in, under a name of its own
		}
		known, err := d.Stat(ctx, digest)
		switch {
		case err == nil:
			held = append(held, known)
		case !errors.Is(err, eventstore.ErrDocumentMissing) && !errors.Is(err, eventstore.ErrDocumentChanged):
			return nil, err
		}
	}
	slices.SortFunc(held, func(a, b eventstore.Document) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	return held, nil
}

// Check reads a whole document and hashes it: nil means that it is held as it
// was put in, ErrDocumentMissing that it is not held, and ErrDocumentChanged
// that something else is, or only a part.
func (d *Documents) Check(ctx context.Context, digest eventstore.Digest) error {
	return d.Copy(ctx, digest, io.Discard)
}

// Copy writes a document to w, hashing what it writes: until it has returned
// without an error, w does not hold the document. Errors are those of Check.
func (d *Documents) Copy(ctx context.Context, digest eventstore.Digest, w io.Writer) error {
	stream, e, err := d.find(ctx, digest, false)
	if err != nil {
		return err
	}
	if e.seq == 0 || e.info.Deleted {
		return fmt.Errorf("jetstream: read %s: %w", digest, eventstore.ErrDocumentMissing)
	}
	changed := func(format string, args ...any) error {
		return fmt.Errorf("jetstream: read %s: %w: %s", digest, eventstore.ErrDocumentChanged, fmt.Sprintf(format, args...))
	}
	hash, read, next := sha256.New(), uint64(0), uint64(1)
	for n := range e.info.Chunks {
		m, err := d.chunk(ctx, stream, documentChunks+e.info.NUID, next)
		if errors.Is(err, natsjs.ErrMsgNotFound) {
			return changed("part %d of %d is missing", n+1, e.info.Chunks)
		}
		if err != nil {
			return unavailable(ctx, "read "+digest.String(), err)
		}
		next, read = m.Sequence+1, read+uint64(len(m.Data))
		hash.Write(m.Data)
		if read > e.info.Size {
			return changed("it has more than its %d bytes", e.info.Size)
		}
		if _, err := w.Write(m.Data); err != nil {
			return fmt.Errorf("jetstream: read %s: %w", digest, err)
		}
	}
	if sum := eventstore.Digest(hash.Sum(nil)); read != e.info.Size || sum != digest {
		return changed("its %d bytes have the digest %s", read, sum)
	}
	return nil
}

// Open gives a document to be read. A change of it shows as an error before the
// end, never as an end.
func (d *Documents) Open(ctx context.Context, digest eventstore.Digest) (io.ReadCloser, error) {
	if _, err := d.Stat(ctx, digest); err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(d.Copy(ctx, digest, w)) }()
	return r, nil
}

// chunk is the first part under a subject from a sequence on.
func (d *Documents) chunk(ctx context.Context, stream natsjs.Stream, subject string, from uint64) (*natsjs.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, d.ledger.answer)
	defer cancel()
	return stream.GetMsg(ctx, from, natsjs.WithGetMsgSubject(subject))
}

// Put stores the content of r under its digest, as of that media type, and reports
// whether it was held before. A document that was changed or lost a part is
// replaced. What r gives must have the digest; if it has another one, or Put
// fails otherwise, nothing is listed, unless it is not known what came of the last
// step: then the document is listed whole or not at all.
func (d *Documents) Put(ctx context.Context, digest eventstore.Digest, media string, r io.Reader) (before bool, err error) {
	doing := "put " + digest.String()
	if err := d.ledger.Refusal(); err != nil {
		return false, fmt.Errorf("jetstream: %s: %w", doing, err)
	}
	stream, old, err := d.find(ctx, digest, true)
	if err != nil && !errors.Is(err, eventstore.ErrDocumentChanged) {
		return false, err
	}
	if old.seq > 0 && err == nil && !old.info.Deleted {
		if err := d.Check(ctx, digest); err == nil || !errors.Is(err, eventstore.ErrDocumentChanged) {
			return err == nil, err
		}
	}
	info := natsjs.ObjectInfo{
		ObjectMeta: natsjs.ObjectMeta{
			Name: hex.EncodeToString(digest[:]), Metadata: map[string]string{"type": media},
			Opts: &natsjs.ObjectMetaOptions{ChunkSize: chunkBytes},
		},
		Bucket: documentBucket, NUID: hex.EncodeToString(digest[:]) + "." + rand.Text(),
	}
	chunks, listed := documentChunks+info.NUID, false
	defer func() {
		if err != nil && !listed { // the parts only take up room
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.ledger.answer)
			defer cancel()
			_ = stream.Purge(clean, natsjs.WithPurgeSubject(chunks))
		}
	}()
	hash, buffer := sha256.New(), make([]byte, chunkBytes)
	for {
		n, err := io.ReadFull(r, buffer)
		if n > 0 {
			hash.Write(buffer[:n])
			m := &nats.Msg{Subject: chunks, Data: buffer[:n], Header: nats.Header{natsjs.MsgIDHeader: {info.NUID + "-" + strconv.Itoa(int(info.Chunks))}}}
			if err := d.publish(ctx, doing, m); err != nil {
				return false, err
			}
			info.Chunks, info.Size = info.Chunks+1, info.Size+uint64(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return false, fmt.Errorf("jetstream: %s: %w", doing, err)
		}
	}
	if sum := eventstore.Digest(hash.Sum(nil)); sum != digest {
		return false, fmt.Errorf("jetstream: %s: what came has the digest %s", doing, sum)
	}
	info.Digest = natsjs.GetObjectDigestValue(hash)
	body, err := json.Marshal(info)
	if err != nil {
		return false, fmt.Errorf("jetstream: %s: %w", doing, err)
	}
	listed = true // or it may be, if no answer comes: the next Put frees the room if not
	err = d.publish(ctx, doing, &nats.Msg{Subject: metaSubject(digest), Data: body, Header: nats.Header{
		natsjs.MsgRollup: {natsjs.MsgRollupSubject}, natsjs.MsgIDHeader: {info.NUID},
		natsjs.ExpectedLastSubjSeqHeader: {strconv.FormatUint(old.seq, 10)},
	}})
	var answer *natsjs.APIError
	if errors.As(err, &answer) && isCode(answer, codeWrongSequence, codeWrongSequenceConstant) {
		switch _, now, again := d.find(ctx, digest, false); {
		case again != nil:
			return false, again
		case now.info.NUID == info.NUID:
			err = nil // the entry was taken, only its answer was lost
		case d.Check(ctx, digest) == nil: // another upload has stored it meanwhile: these parts are not needed
			_ = stream.Purge(ctx, natsjs.WithPurgeSubject(chunks))
			return true, nil
		default:
			listed = false
		}
	}
	if err == nil {
		if old.info.NUID != "" && old.info.NUID != info.NUID { // as another client may name it
			_ = stream.Purge(ctx, natsjs.WithPurgeSubject(documentChunks+old.info.NUID))
		}
		d.purgeOthers(ctx, stream, digest, chunks)
	}
	return false, err
}

// purgeOthers frees the room of all parts of a document but those listed: of
// one that was replaced, and of attempts that a crash cut short. Any other that is
// putting it in just now finds it held.
func (d *Documents) purgeOthers(ctx context.Context, stream natsjs.Stream, digest eventstore.Digest, listed string) {
	info, err := stream.Info(ctx, natsjs.WithSubjectFilter(documentChunks+hex.EncodeToString(digest[:])+".*"))
	if err != nil {
		return // it can be done next time
	}
	for subject := range info.State.Subjects {
		if subject != listed {
			_ = stream.Purge(ctx, natsjs.WithPurgeSubject(subject))
		}
	}
}

// publish sends one message until it is acknowledged. The engine drops one that
// comes again under its id.
func (d *Documents) publish(ctx context.Context, doing string, m *nats.Msg) error {
	ctx, cancel := d.ledger.withPatience(ctx)
	defer cancel()
	for {
		err := d.publishOnce(ctx, m)
		var answer *natsjs.APIError
		switch errors.As(err, &answer); {
		case err == nil:
			return nil
		case isCode(answer, codeAccountFull, codeServerFull, codeStorageFull):
			return unavailable(ctx, doing, fmt.Errorf("the store is full; free or extend the disk: %w", err))
		case answer != nil && answer.Code < 500 && !isCode(answer, codeIDInProcess):
			return fmt.Errorf("jetstream: %s: %w", doing, err)
		}
		select {
		case <-ctx.Done():
			return unavailable(ctx, doing, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (d *Documents) publishOnce(ctx context.Context, m *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, d.ledger.answer)
	defer cancel()
	_, err := d.ledger.js.PublishMsg(ctx, m)
	if err == nil {
		err = d.ledger.durable()
	}
	return err
}
