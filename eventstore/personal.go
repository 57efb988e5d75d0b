package eventstore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// PersonKey is what one person's data is sealed with: 32 random bytes, kept
// outside the ledger. Without it what it sealed cannot be read by anybody.
type PersonKey [32]byte

// A seal is {sealed:…}, with the base64url of the person's number (16 bytes), a
// nonce (12), and the text under AES-256-GCM, filled up to a multiple of 32
// bytes so that a name's length does not show. The number is authenticated, so
// one person's seal cannot pass for another's.
//
// It is text, so it can be wherever the text it seals would be: in an event, in a
// state, in the middle of a sentence. Seals are opened last, when text is rendered
// for a reader.
var seal = regexp.MustCompile(`\{sealed:([A-Za-z0-9_-]+)\}`)

// sealPrefix begins every seal, and no text that is taken in may hold it: it
// could be another's seal, to be opened for who may not.
const sealPrefix = "{sealed:"

const (
	refBytes   = 16
	nonceBytes = 12
	sealBlock  = 32
)

// HoldsSeal reports whether a text has a seal in it, or what could be the
// beginning of one.
func HoldsSeal[T ~string | ~[]byte](text T) bool {
	return bytes.Contains([]byte(text), []byte(sealPrefix))
}

// Seal seals a text about the person ref. The same text about the same person
// gives the same seal, so a command that is sent again is the same command, and
// a correction that corrects nothing is noticed: the nonce follows from the text
// by a key of its own (a synthetic nonce, as in RFC 8452's construction).
func (k PersonKey) Seal(ref uuid.UUID, text string) string {
	padded := append([]byte(text), 1)
	padded = append(padded, make([]byte, (sealBlock-len(padded)%sealBlock)%sealBlock)...)
	mac := hmac.New(sha256.New, k.derive("nonce"))
	mac.Write(ref[:])
	mac.Write(padded)
	nonce := mac.Sum(nil)[:nonceBytes]
	sealed := k.aead().Seal(append(ref[:], nonce...), nonce, padded, ref[:])
	return sealPrefix + base64.RawURLEncoding.EncodeToString(sealed) + "}"
}

// OpenSeals puts something else in the place of each seal in a text: what show
// makes of the person it is of and of how to open it.
func OpenSeals(text []byte, show func(ref uuid.UUID, open func(PersonKey) (string, error)) []byte) []byte {
	return seal.ReplaceAllFunc(text, func(s []byte) []byte {
		ref, sealed, err := parseSeal(s[len(sealPrefix) : len(s)-1])
		if err != nil {
			return s
		}
		return show(ref, func(k PersonKey) (string, error) {
			padded, err := k.aead().Open(nil, sealed[:nonceBytes], sealed[nonceBytes:], ref[:])
			if err != nil {
				return "", errors.New("eventstore: a seal was not made with the person's key")
			}
			end := bytes.LastIndexByte(padded, 1)
			if end < 0 {
				return "", errors.New("eventstore: a seal holds no text")
			}
			return string(padded[:end]), nil
		})
	})
}

func parseSeal(encoded []byte) (ref uuid.UUID, sealed []byte, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(encoded))
	if err != nil || len(raw) < refBytes+nonceBytes+sealBlock {
		return ref, nil, errors.New("eventstore: that is no seal")
	}
	copy(ref[:], raw)
	return ref, raw[refBytes:], nil
}

func (k PersonKey) derive(use string) []byte {
	key, err := hkdf.Key(sha256.New, k[:], nil, "jointlab person "+use, 32)
	if err != nil {
		panic(err) // only for more than 8160 bytes
	}
	return key
}

func (k PersonKey) aead() cipher.AEAD {
	block, err := aes.NewCipher(k.derive("text"))
	if err != nil {
		panic(err) // only for keys of another length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for block ciphers of another size
	}
	return aead
}

// SealPersons returns a command with every person in it sealed with the key from key,
// and whether there was any. key is given the path of the person in
// the command, as parties[1].person, and the person as sent; it returns the person's
// number and key. The command given is not changed.
func SealPersons(cmd any, key func(path string, p domain.Person) (uuid.UUID, PersonKey, error)) (sealed any, found bool, err error) {
	v := reflect.New(reflect.TypeOf(cmd)).Elem()
	v.Set(reflect.ValueOf(cmd))
	err = eachPerson(v, "", func(path string, p *domain.Person) error {
		ref, k, err := key(path, *p)
		if err != nil {
			return err
		}
		found, p.Ref = true, ref
		for _, text := range []*domain.Personal{&p.ID, &p.Name, &p.Title} {
			if *text != "" {
				*text = domain.Personal(k.Seal(ref, string(*text)))
			}
		}
		return nil
	})
	return v.Interface(), found, err
}

// eachPerson calls do with every person in v, which must be settable, but for
// empty ones. What v shares with others is copied before it is changed.
func eachPerson(v reflect.Value, path string, do func(string, *domain.Person) error) error {
	switch v.Kind() {
	case reflect.Struct:
		if p, ok := v.Addr().Interface().(*domain.Person); ok {
			if *p == (domain.Person{}) {
				return nil
			}
			return do(path, p)
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			at := path
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				at = strings.TrimPrefix(path+"."+name, ".")
			}
			if err := eachPerson(v.Field(i), at, do); err != nil {
				return err
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct && !v.IsNil() {
			own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(own, v)
			v.Set(own)
			return eachOf(v, path, do)
		}
	case reflect.Array:
		if v.Type().Elem().Kind() == reflect.Struct {
			return eachOf(v, path, do)
		}
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.Struct && !v.IsNil() {
			own := reflect.New(v.Type().Elem())
			own.Elem().Set(v.Elem())
			v.Set(own)
			return eachPerson(own.Elem(), path, do)
		}
	}
	return nil
}

func eachOf(v reflect.Value, path string, do func(string, *domain.Person) error) error {
	for i := range v.Len() {
		if err := eachPerson(v.Index(i), fmt.Sprintf("%s[%d]", path, i), do); err != nil {
			return err
		}
	}
	return nil
}
