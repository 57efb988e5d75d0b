package audit

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/jointlab/jointlab/eventstore"
)

// Trust is what a pack is checked against.
type Trust struct {
	Key       string          // the log's verifier key, kept from elsewhere; "": the one in the pack is believed
	Witnesses []note.Verifier // whose cosignatures are looked for
	Progress  func(done, total int64)
}

// Verified is what a pack was found to prove.
type Verified struct {
	Manifest   Manifest
	Key        string     // that signed it
	Checkpoint Checkpoint // with the signatures that were verified
	Decisions  int        // steps that were judged again
	Questioned int        // steps recorded as not meeting their rules on what is known since
	OtherRules bool       // the pack was made by a version with other rules or tables than this one
	Contents   int        // documents whose contents are in the pack

	pack opened
}

// Verify checks a pack, without any server: what is in it must be signed with
// the log's key, be in the log, be whole, and follow from itself. It fails with
// the first thing that is wrong, a *ContradictionError with its position where
// it is an event.
func Verify(pack io.ReaderAt, size int64, trust Trust) (v Verified, err error) {
	p, err := openPack(pack, size)
	if err != nil {
		return v, err
	}
	v.pack = p
	key, err := p.small(keyName)
	if err != nil {
		return v, err
	}
	if v.Key = strings.TrimSpace(string(key)); trust.Key != "" && v.Key != strings.TrimSpace(trust.Key) {
		return v, contradicts(0, "the pack is signed with the key %s, not with %s", v.Key, trust.Key)
	}
	signed, err := p.small(checkpointName)
	if err != nil {
		return v, err
	}
	if v.Checkpoint, err = OpenCheckpoint(signed, v.Key, trust.Witnesses...); err != nil {
		return v, contradicts(0, "%v", err)
	}
	// A manifest that was changed gives the pack away, but not where it was
	// changed. So the events themselves are checked first.
	sealed, err := p.manifest(&v)
	if err != nil {
		return v, err
	}
	c := verification{pack: p}
	for _, check := range []func(*Verified) error{
		func(v *Verified) error { return c.events(v, trust.Progress) },
		c.states,
		c.documents,
		func(*Verified) error { return sealed },
		c.counts,
		c.rules,
		c.beside,
	} {
		if err := check(&v); err != nil {
			return v, err
		}
	}
	v.Decisions, v.Questioned = c.fold.decisions, c.fold.questioned()
	return v, nil
}

// opened is a pack's files by their names.
type opened map[string]*zip.File

// missingError reports that a pack lacks a file.
type missingError struct{ name string }

func (e *missingError) Error() string { return "audit: the pack holds no " + e.name }

func openPack(pack io.ReaderAt, size int64) (opened, error) {
	z, err := zip.NewReader(pack, size)
	if err != nil {
		return nil, fmt.Errorf("audit: it is no pack, or it was cut off: %w", err)
	}
	files := opened{}
	for _, f := range z.File {
		if files[f.Name] != nil {
			return nil, contradicts(0, "the pack holds %s twice", f.Name)
		}
		files[f.Name] = f
	}
	return files, nil
}

func (o opened) open(name string) (io.ReadCloser, error) {
	f := o[name]
	if f == nil {
		return nil, &missingError{name}
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("audit: read %s: %w", name, err)
	}
	return r, nil
}

// small reads a file that fits into memory.
func (o opened) small(name string) ([]byte, error) {
	r, err := o.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	const limit = 256 << 20
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && len(content) > limit {
		err = errors.New("it is too large")
	}
	if err != nil {
		return nil, fmt.Errorf("audit: read %s: %w", name, err)
	}
	return content, nil
}

// manifest reads the manifest. sealed is what is wrong with its signature, with
// the checkpoint it names, or with the rules. The other files need no hash: what
// they must hold follows from the events.
func (o opened) manifest(v *Verified) (sealed, err error) {
	text, err := o.small(manifestName)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &v.Manifest); err != nil {
		return nil, fmt.Errorf("audit: read %s: %w", manifestName, err)
	}
	if v.Manifest.Format != packVersion {
		return nil, fmt.Errorf("audit: the pack is of the form %q, and this program reads %q: upgrade it", v.Manifest.Format, packVersion)
	}
	signed, err := o.small(noteName)
	if err != nil {
		return nil, err
	}
	return o.sealed(v, text, signed), nil
}

func (o opened) sealed(v *Verified, manifest, signed []byte) error {
	verifier, err := note.NewVerifier(v.Key)
	if err != nil {
		return err
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return contradicts(0, "%s is not signed with the log's key: %v", noteName, err)
	}
	m, c := v.Manifest, v.Checkpoint
	sum := sha256.Sum256(manifest)
	switch {
	case n.Text != noteText(c.Origin, hex.EncodeToString(sum[:])):
		return contradicts(0, "%s is not what was signed", manifestName)
	case m.Origin != c.Origin || m.Size != c.Size || m.Root != c.Root.String():
		return contradicts(0, "%s was made for another checkpoint", manifestName)
	}
	rules, err := o.small(rulesName)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(rules); hex.EncodeToString(sum[:]) != m.Rules {
		return contradicts(0, "%s is not what was signed", rulesName)
	}
	return nil
}

// verification is a pack's events as they are checked.
type verification struct {
	pack  opened
	fold  fold
	refs  references
	count int
	at    ranges
}

// batch is events whose leaves are in one tile.
type batch struct {
	at      []eventstore.Position
	bodies  [][]byte
	decoded []eventstore.Decoded
	wrong   error // what is wrong after those that were decoded
}

// events compares each event with the log, and folds it. Batches are compared
// and decoded on all cores, and folded in order.
func (c *verification) events(v *Verified, progress func(done, total int64)) (err error) {
	if c.at, err = parseRanges(v.Manifest.Positions, eventstore.Position(v.Checkpoint.Size)); err != nil {
		return contradicts(0, "%s: %v", manifestName, err)
	}
	hashes := tlog.TileHashReader(tlog.Tree{N: v.Checkpoint.Size, Hash: v.Checkpoint.Root}, tileReader(func(t tlog.Tile) ([]byte, error) {
		return c.pack.small(tilePath(t))
	}))
	err = eventstore.OrderedParallel(context.Background(), c.read, func(b *batch) error {
		b.compare(hashes)
		return nil
	}, func(b *batch) error {
		for i, d := range b.decoded {
			if err := c.fold.apply(b.at[i], d); err != nil {
				return err
			}
			c.refs.note(b.at[i], b.bodies[i])
		}
		if c.count += len(b.decoded); progress != nil {
			progress(int64(c.count), int64(v.Manifest.Events))
		}
		return b.wrong
	})
	if err != nil {
		return err
	}
	return c.refoldCorrected()
}

// read calls give with the events of the pack, in batches.
func (c *verification) read(_ context.Context, give func(*batch) error) error {
	lines, err := c.pack.lines(eventsName)
	if err != nil {
		return err
	}
	defer lines.close()
	b := &batch{}
	err = c.at.all(func(at eventstore.Position) error {
		if n := len(b.at); n > 0 && Index(b.at[0])>>tileHeight != Index(at)>>tileHeight {
			if err := give(b); err != nil {
				return err
			}
			b = &batch{}
		}
		line, err := lines.next()
		if err != nil {
			b.wrong = contradicts(at, "%s ends before it: %v", eventsName, err)
			return b.wrong
		}
		b.at, b.bodies = append(b.at, at), append(b.bodies, bytes.Clone(line))
		return nil
	})
	if err != nil && b.wrong == nil {
		return err // the others have stopped
	}
	if b.wrong == nil {
		if _, err := lines.next(); err != io.EOF {
			b.wrong = contradicts(0, "%s goes on after the last of the positions in %s", eventsName, manifestName)
		}
	}
	return give(b)
}

// compare compares the events with the log and decodes them, up to the first
// that is wrong.
func (b *batch) compare(hashes tlog.HashReader) {
	if len(b.at) == 0 {
		return
	}
	indexes := make([]int64, len(b.at))
	for i, at := range b.at {
		indexes[i] = tlog.StoredHashIndex(0, Index(at))
	}
	logged, err := hashes.ReadHashes(indexes)
	if err != nil {
		var missing *missingError
		if errors.As(err, &missing) {
			b.wrong = contradicts(b.at[0], "the tiles that prove it are not in the pack: %v", missing)
			return
		}
		b.wrong = contradicts(b.at[0], "the tiles that should prove it are not of the checkpoint: %v", err)
		return
	}
	for i, body := range b.bodies {
		entry := sha256.Sum256(body)
		if tlog.RecordHash(entry[:]) != logged[i] {
			b.wrong = contradicts(b.at[i], "the event in the pack is not the one in the log: its bytes have the SHA-256 %x", entry)
			return
		}
		d, err := eventstore.Decode(body)
		if err != nil {
			b.wrong = contradicts(b.at[i], "%v", err)
			return
		}
		b.decoded = append(b.decoded, d)
	}
}

// refoldCorrected reads the events a second time for the streams that have corrections.
func (c *verification) refoldCorrected() error {
	corrected := c.fold.corrected()
	if len(corrected) == 0 {
		return nil
	}
	type history struct {
		at     []eventstore.Position
		events []eventstore.Decoded
	}
	of := map[string]*history{}
	for _, s := range corrected {
		of[s.Source()] = &history{}
	}
	lines, err := c.pack.lines(eventsName)
	if err != nil {
		return err
	}
	defer lines.close()
	err = c.at.all(func(at eventstore.Position) error {
		line, err := lines.next()
		if err != nil {
			return err
		}
		// A source is found without decoding; that it is the event's own, the
		// decoded event tells.
		_, rest, _ := bytes.Cut(line, []byte(`"source":"`))
		source, _, _ := bytes.Cut(rest, []byte(`"`))
		h := of[string(source)]
		if h == nil {
			return nil
		}
		d, err := eventstore.Decode(line)
		if err == nil && d.Stream.Source() == string(source) {
			h.at, h.events = append(h.at, at), append(h.events, d)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("audit: read %s again: %w", eventsName, err)
	}
	for _, s := range corrected {
		if err := c.fold.refoldCorrected(s, of[s.Source()].at, of[s.Source()].events); err != nil {
			return err
		}
	}
	return nil
}

// counts compares what was read with the manifest.
func (c *verification) counts(v *Verified) error {
	m, last := v.Manifest, eventstore.Position(0)
	if n := len(c.at); n > 0 {
		last = c.at[n-1][1]
	}
	if c.count != m.Events || len(c.fold.order) != m.Streams || last > m.UpTo {
		return contradicts(last, "the pack holds %d events of %d streams up to here, and should hold %d of %d, up to %d", c.count, len(c.fold.order), m.Events, m.Streams, m.UpTo)
	}
	for kind, id := range map[string]uuid.UUID{"lab": m.Scope.Lab, "entity": m.Scope.Entity} {
		if id != uuid.Nil && c.fold.streams[eventstore.Stream{Kind: kind, ID: id}] == nil {
			return contradicts(0, "the pack is of %s, and holds none of its events", m.Scope)
		}
	}
	return nil
}

// states compares each stream, as folded, with the state in the pack.
func (c *verification) states(v *Verified) error {
	lines, err := c.pack.lines(streamsName)
	if err != nil {
		return err
	}
	defer lines.close()
	type rendered struct {
		*folded
		line []byte
	}
	err = eventstore.OrderedParallel(context.Background(), func(_ context.Context, give func(*rendered) error) error {
		for _, s := range c.fold.order {
			if err := give(&rendered{folded: s}); err != nil {
				return err
			}
		}
		return nil
	}, func(s *rendered) (err error) {
		s.line, err = s.folded.line()
		return err
	}, func(s *rendered) error {
		claim, err := lines.next()
		if err != nil || !bytes.Equal(bytes.TrimSuffix(s.line, []byte("\n")), claim) {
			return contradicts(s.last, "folding the %d events of %s up to here does not give the state that %s claims; the pack was made by %q", s.folded.events, s.stream, streamsName, v.Manifest.By)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := lines.next(); err != io.EOF {
		return contradicts(0, "%s claims the state of a stream without events", streamsName)
	}
	return nil
}

// documents compares the digests in the events with those listed, and contents
// with their digests.
func (c *verification) documents(v *Verified) error {
	listed, err := c.pack.small(documentsName)
	if err != nil {
		return err
	}
	var found bytes.Buffer
	if err := c.refs.write(&found); err != nil {
		return err
	}
	if !bytes.Equal(listed, found.Bytes()) {
		return contradicts(0, "%s does not list the documents that the events refer to", documentsName)
	}
	for name := range c.pack {
		digest, ok := strings.CutPrefix(name, documentsDir)
		if !ok {
			continue
		}
		r, err := c.pack.open(name)
		if err != nil {
			return err
		}
		sum := sha256.New()
		_, err = io.Copy(sum, r)
		r.Close()
		at := c.refs.at["sha256:"+digest]
		switch {
		case err != nil:
			return fmt.Errorf("audit: read %s: %w", name, err)
		case len(at) == 0:
			return contradicts(0, "no event refers to %s", name)
		case hex.EncodeToString(sum.Sum(nil)) != digest:
			return contradicts(at[0], "the document it refers to, sha256:%s, has other contents in the pack", digest)
		}
		v.Contents++
	}
	return nil
}

// rules compares the rules in the pack with this program's, by which its steps
// were judged again.
func (c *verification) rules(v *Verified) error {
	theirs, err := c.pack.small(rulesName)
	if err != nil {
		return err
	}
	ours, err := rulesDocument()
	v.OtherRules = !slices.Equal(theirs, ours)
	return err
}

// beside compares what a backup holds beside its events with the manifest.
func (c *verification) beside(v *Verified) error {
	there := 0
	for name := range c.pack {
		if strings.HasPrefix(name, besideDir) {
			there++
		}
	}
	for name, want := range v.Manifest.Beside {
		r, err := c.pack.open(besideDir + name)
		if err != nil {
			return err
		}
		sum := sha256.New()
		_, err = io.Copy(sum, r)
		if err := errors.Join(err, r.Close()); err != nil {
			return fmt.Errorf("audit: read %s%s: %w", besideDir, name, err)
		}
		if hex.EncodeToString(sum.Sum(nil)) != want {
			return contradicts(0, "%s%s is not what was signed", besideDir, name)
		}
	}
	if there != len(v.Manifest.Beside) {
		return contradicts(0, "%s holds %d files, and %d were signed", besideDir, there, len(v.Manifest.Beside))
	}
	return nil
}

// lines reads a file line by line.
type lines struct {
	file io.Closer
	r    *bufio.Reader
	long []byte
}

func (o opened) lines(name string) (*lines, error) {
	f, err := o.open(name)
	if err != nil {
		return nil, err
	}
	return &lines{file: f, r: bufio.NewReaderSize(f, 1<<18)}, nil
}

func (l *lines) close() { l.file.Close() }

// next returns the next line without its line feed, until the one after is asked
// for. A last line without a line feed is cut off, and an error.
func (l *lines) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.long = append(l.long[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = l.r.ReadSlice('\n')
			l.long = append(l.long, line...)
		}
		line = l.long
	}
	if err == io.EOF && len(line) > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return line[:len(line)-1], nil
}
