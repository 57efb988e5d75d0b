package audit

import (
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

// Export is what a pack is made of. Store must hold the streams of the log's
// ledger, with their positions.
type Export struct {
	Scope    Scope
	Store    eventstore.Store
	Now      time.Time
	By       string                                     // version of the program, for the manifest
	Document func(digest string) (io.ReadCloser, error) // gives a document's contents, or eventstore.ErrDocumentMissing; nil: digests only
	Progress func(done, total int64)                    // nil: nobody is told
	Backup   *Backup                                    // nil: the pack is none
}

// Backup is what makes a pack of the whole registry one from which the register
// can be made again. Its functions put files beside the events.
type Backup struct {
	// State puts in what must be no younger than the checkpoint that the pack is
	// under: it is called before that is taken.
	State func(ctx context.Context, put Put) error
	// Documents puts in what is known of the documents held, and the contents of
	// those whose contents are not packed already.
	Documents func(ctx context.Context, put Put, packed func(digest string) bool) error
}

// Put begins a file beside the events; the one before is whole then.
type Put func(name string) (io.Writer, error)

// Advance brings the tree to the ledger's end and signs a checkpoint of it, for
// when the log does not run.
func (l *Log) Advance(ctx context.Context) error {
	if _, err := l.Check(ctx, nil); err != nil {
		return err
	}
	l.running.Lock()
	defer l.running.Unlock()
	return l.advance(ctx)
}

// Export writes a pack, as PackFormat has it, of what is under the last
// checkpoint. Memory grows with the streams in the pack, not with its events.
func (l *Log) Export(ctx context.Context, to io.Writer, e Export) (Manifest, error) {
	x := &exporter{Export: e, log: l, fold: fold{unjudged: true}, contents: map[string]bool{}}
	if err := x.write(ctx, to); err != nil {
		return Manifest{}, fmt.Errorf("audit: export %s: %w", e.Scope, err)
	}
	return x.manifest, nil
}

type exporter struct {
	Export
	log      *Log
	manifest Manifest
	zip      *zip.Writer
	streams  map[eventstore.Stream]bool // in the pack; nil: all are
	fold     fold
	at       ranges
	refs     references
	contents map[string]bool      // of documents that are in the pack, by digest
	beside   map[string]hash.Hash // by name
}

func (x *exporter) write(ctx context.Context, to io.Writer) error {
	x.zip = zip.NewWriter(to)
	x.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	if err := x.state(ctx); err != nil {
		return err
	}
	c, ok := x.log.Published()
	if !ok {
		return errors.New("there is no checkpoint to export under; run jointlab serve for a moment, or see jointlab audit check")
	}
	if x.log.Key() != x.log.key.Public() {
		return fmt.Errorf("%s is not the key of this log, %s; export on a node that has it", KeyFile, x.log.Key())
	}
	x.manifest = Manifest{
		Format: packVersion, Scope: x.Scope, UpTo: eventstore.Position(c.Size), Origin: c.Origin, Size: c.Size, Root: c.Root.String(),
		Made: x.Now.UTC().Truncate(time.Second), By: x.By,
	}
	if err := x.choose(ctx); err != nil {
		return err
	}
	rules, err := rulesDocument()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(rules)
	x.manifest.Rules = hex.EncodeToString(sum[:])
	for _, write := range []func() error{
		func() error { return x.put(keyName, []byte(x.log.Key()+"\n")) },
		func() error { return x.put(checkpointName, c.Note) },
		func() error { return x.events(ctx) },
		func() error { return x.tiles(c) },
		func() error { return x.refoldCorrected(ctx) },
		x.states,
		func() error { return x.put(rulesName, rules) },
		x.references,
		x.documents,
		func() error { return x.backupDocuments(ctx) },
		x.seal,
		x.zip.Close,
	} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

// put writes a small file.
func (x *exporter) put(name string, content []byte) error {
	w, err := x.zip.Create(name)
	if err == nil {
		_, err = w.Write(content)
	}
	return err
}

// underPatience is how long a backup waits for a checkpoint of what it has seen.
const underPatience = 15 * time.Second

// state puts the first files of a backup in, and waits until the last
// checkpoint covers whatever they speak of.
func (x *exporter) state(ctx context.Context) error {
	if x.Backup == nil {
		return nil
	}
	if x.Scope != (Scope{}) {
		return errors.New("a backup is of the whole registry")
	}
	x.beside = map[string]hash.Hash{}
	cosigned, err := os.ReadFile(filepath.Join(x.log.dir, cosignedFile)) // whichever witnesses are configured
	if err == nil {
		var w io.Writer
		if w, err = x.putBeside(cosignedFile); err == nil {
			_, err = w.Write(cosigned)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := x.Backup.State(ctx, x.putBeside); err != nil {
		return err
	}
	head, err := x.log.cfg.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, underPatience)
	defer cancel()
	_, err = x.log.Wait(ctx, int64(head))
	return err
}

func (x *exporter) backupDocuments(ctx context.Context) error {
	if x.Backup == nil {
		return nil
	}
	return x.Backup.Documents(ctx, x.putBeside, func(digest string) bool { return x.contents[digest] })
}

func (x *exporter) putBeside(name string) (io.Writer, error) {
	w, err := x.zip.Create(besideDir + name)
	x.beside[name] = sha256.New()
	return io.MultiWriter(w, x.beside[name]), err
}

// choose finds the streams that belong into the pack.
func (x *exporter) choose(ctx context.Context) error {
	s := x.Scope
	one := eventstore.Stream{Kind: "lab", ID: s.Lab}
	switch {
	case s.Lab != uuid.Nil:
	case s.Entity != uuid.Nil:
		one = eventstore.Stream{Kind: "entity", ID: s.Entity}
	case !s.From.IsZero():
		return x.choosePeriod(ctx)
	default:
		return nil
	}
	x.streams = map[eventstore.Stream]bool{one: true}
	events, _, err := x.Store.Load(ctx, one, eventstore.Version{})
	if err == nil && len(events) == 0 {
		err = errors.New("the register has no such record; check the id")
	}
	for _, r := range events {
		d, err := eventstore.Decode(r.Body)
		if err != nil {
			return err
		}
		if of, ok := programmeOf(d.Event); ok { // its policies are what steps are judged by
			x.streams[eventstore.Stream{Kind: "programme", ID: of}] = true
		}
	}
	return err
}

// programmeOf returns the programme that an event puts a lab in.
func programmeOf(e any) (uuid.UUID, bool) {
	if r, ok := domain.AsRewrite(e); ok {
		return programmeOf(r.Event)
	}
	p, ok := e.(lab.Proposed)
	return domain.ProgrammeID(cmp.Or(p.Programme, lab.DefaultProgramme)), ok
}

// ErrEmptyPeriod reports that nothing was recorded in the period that a pack is to be of.
var ErrEmptyPeriod = errors.New("no events in the period")

// choosePeriod takes every stream in which something was recorded in the
// period, whole up to its end, and all programmes.
func (x *exporter) choosePeriod(ctx context.Context) error {
	x.streams = map[eventstore.Stream]bool{}
	last, found := eventstore.Position(0), false
	for r, err := range eventstore.Read(ctx, x.log.cfg.Ledger, 0, x.manifest.UpTo) {
		if err != nil {
			return err
		}
		d, err := eventstore.Decode(r.Body)
		if err != nil {
			return err
		}
		on := domain.DateOf(d.Meta.Time)
		if !on.After(x.Scope.To) {
			last = r.Position
		}
		in := !on.Before(x.Scope.From) && !on.After(x.Scope.To)
		if found = found || in; in || r.Stream.Kind == "programme" {
			x.streams[r.Stream] = true
		}
	}
	x.manifest.UpTo = last
	if !found {
		return ErrEmptyPeriod
	}
	return nil
}

// each reads the events of the pack in the order of their positions.
func (x *exporter) each(ctx context.Context, take func(eventstore.Recorded) error) error {
	done, total := int64(0), int64(x.manifest.UpTo)
	if s := x.Scope; s.Lab != uuid.Nil || s.Entity != uuid.Nil { // few streams among many
		var all []eventstore.Recorded
		for stream := range x.streams {
			events, _, err := x.Store.Load(ctx, stream, eventstore.Version{})
			if err != nil {
				return err
			}
			all = append(all, events...)
		}
		slices.SortFunc(all, func(a, b eventstore.Recorded) int { return cmp.Compare(a.Position, b.Position) })
		for _, r := range all {
			if r.Position > x.manifest.UpTo {
				break // not under the checkpoint
			}
			if err := take(r); err != nil {
				return err
			}
		}
		return nil
	}
	return x.log.cfg.Ledger.Read(ctx, 0, x.manifest.UpTo, func(events []eventstore.Recorded) error {
		for _, r := range events {
			if x.streams == nil || x.streams[r.Stream] {
				if err := take(r); err != nil {
					return err
				}
			}
		}
		if done += int64(len(events)); x.Progress != nil {
			x.Progress(done, total)
		}
		return nil
	})
}

func (x *exporter) events(ctx context.Context) error {
	w, err := x.zip.Create(eventsName)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	err = x.each(ctx, func(r eventstore.Recorded) error {
		if bytes.IndexByte(r.Body, '\n') >= 0 {
			return fmt.Errorf("position %d: the event's bytes hold a line feed, which a pack has no room for", r.Position)
		}
		d, err := eventstore.Decode(r.Body)
		if err != nil {
			return fmt.Errorf("position %d: %w", r.Position, err)
		}
		if err := x.fold.apply(r.Position, d); err != nil {
			return err
		}
		x.at.add(r.Position)
		x.refs.note(r.Position, r.Body)
		x.manifest.Events++
		out.Write(r.Body)
		return out.WriteByte('\n')
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// refoldCorrected folds the streams with corrections from the store.
func (x *exporter) refoldCorrected(ctx context.Context) error {
	for _, stream := range x.fold.corrected() {
		events, _, err := x.Store.Load(ctx, stream, eventstore.Version{})
		if err != nil {
			return err
		}
		var at []eventstore.Position
		var history []eventstore.Decoded
		for _, r := range events[:min(uint64(len(events)), x.fold.streams[stream].events)] {
			d, err := eventstore.Decode(r.Body)
			if err != nil {
				return err
			}
			at, history = append(at, r.Position), append(history, d)
		}
		if err := x.fold.refoldCorrected(stream, at, history); err != nil {
			return err
		}
	}
	return nil
}

// tiles writes what a verifier will ask for, by asking for it.
func (x *exporter) tiles(c Checkpoint) error {
	given := map[tlog.Tile]bool{}
	reader := tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, tileReader(func(t tlog.Tile) ([]byte, error) {
		content, err := x.log.tree.tile(t)
		if err != nil || given[t] {
			return content, err
		}
		given[t] = true
		w, err := x.zip.CreateHeader(&zip.FileHeader{Name: tilePath(t), Method: zip.Store}) // hashes do not compress
		if err == nil {
			_, err = w.Write(content)
		}
		return content, err
	}))
	asked := int64(-1)
	return x.at.all(func(p eventstore.Position) error {
		if tile := Index(p) >> tileHeight; tile != asked {
			asked = tile
			_, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, Index(p))})
			return err
		}
		return nil
	})
}

// tileReader is a tlog.TileReader of one tile at a time.
type tileReader func(tlog.Tile) ([]byte, error)

func (tileReader) Height() int                     { return tileHeight }
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (read tileReader) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	data = make([][]byte, len(tiles))
	for i, t := range tiles {
		if data[i], err = read(t); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (x *exporter) states() error {
	w, err := x.zip.Create(streamsName)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	for _, s := range x.fold.order {
		line, err := s.line()
		if err != nil {
			return err
		}
		out.Write(line)
	}
	return out.Flush()
}

func (x *exporter) references() error {
	w, err := x.zip.Create(documentsName)
	if err != nil {
		return err
	}
	return x.refs.write(w)
}

func (x *exporter) documents() error {
	if x.Document == nil {
		return nil
	}
	for _, digest := range x.refs.order {
		content, err := x.Document(digest)
		if errors.Is(err, eventstore.ErrDocumentMissing) {
			continue // its digest is listed; verification counts the contents that are there
		}
		if err != nil {
			return fmt.Errorf("document %s: %w", digest, err)
		}
		w, err := x.zip.Create(documentsDir + strings.TrimPrefix(digest, "sha256:"))
		if err == nil {
			_, err = io.Copy(w, content)
		}
		if err := errors.Join(err, content.Close()); err != nil {
			return fmt.Errorf("document %s: %w", digest, err)
		}
		x.contents[digest] = true
	}
	return nil
}

// seal writes the manifest and signs it.
func (x *exporter) seal() error {
	x.manifest.Streams, x.manifest.Documents, x.manifest.Positions = len(x.fold.order), len(x.refs.order), x.at.strings()
	if x.Backup != nil {
		x.manifest.Beside = map[string]string{}
		for name, sum := range x.beside {
			x.manifest.Beside[name] = hex.EncodeToString(sum.Sum(nil))
		}
	}
	text, err := json.Marshal(x.manifest, json.Deterministic(true), jsontext.Multiline(true))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	signed, err := note.Sign(&note.Note{Text: noteText(x.manifest.Origin, hex.EncodeToString(sum[:]))}, x.log.key.signer)
	if err != nil {
		return err
	}
	return errors.Join(x.put(manifestName, text), x.put(noteName, signed))
}
