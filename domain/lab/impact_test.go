package lab_test

import (
	"reflect"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

// TestImpactSeesEveryField changes each field of what versions are compared by.
func TestImpactSeesEveryField(t *testing.T) {
	eachChange(t, func(p, q lab.Party) bool {
		v := func(p lab.Party) lab.Version { return lab.Version{Parties: map[uuid.UUID]lab.Party{{}: p}} }
		return len(v(p).Compare(v(q)).Parties) == 1
	})
	eachChange(t, func(i, j lab.Item) bool {
		v := func(i lab.Item) lab.Version { return lab.Version{Rights: map[string]lab.Item{"": i}} }
		return len(v(i).Compare(v(j)).Rights) == 1
	})
	eachChange(t, func(f, g lab.Commitment) bool {
		v := func(f lab.Commitment) lab.Version { return lab.Version{Commitments: map[string]lab.Commitment{"": f}} }
		return len(v(f).Compare(v(g)).Commitments) == 1
	})
}

// eachChange calls differ with two values that differ in one field, for each field.
func eachChange[T any](t *testing.T, differ func(before, after T) bool) {
	var before, after T
	var walk func(v, w reflect.Value, path string)
	walk = func(v, w reflect.Value, path string) {
		from, to := reflect.ValueOf(v.Interface()), reflect.ValueOf(w.Interface())
		defer func() { v.Set(from); w.Set(to) }()
		var inner func()
		switch x := w.Interface().(type) {
		case domain.Date:
			w.Set(reflect.ValueOf(date("2020-01-01")))
		case domain.Decimal:
			w.Set(reflect.ValueOf(domain.MustDecimal("7")))
		case uuid.UUID:
			w.Set(reflect.ValueOf(uuid.New()))
		case bool:
			w.SetBool(!x)
		default:
			switch w.Kind() {
			case reflect.String:
				w.SetString("x")
			case reflect.Int:
				w.SetInt(7)
			case reflect.Pointer:
				w.Set(reflect.New(w.Type().Elem()))
				inner = func() { v.Set(reflect.New(v.Type().Elem())); walk(v.Elem(), w.Elem(), path+".*") }
			case reflect.Slice:
				w.Set(reflect.MakeSlice(w.Type(), 1, 1))
				inner = func() { v.Set(reflect.MakeSlice(v.Type(), 1, 1)); walk(v.Index(0), w.Index(0), path+"[0]") }
			case reflect.Struct:
				for i := range w.NumField() {
					walk(v.Field(i), w.Field(i), path+"."+w.Type().Field(i).Name)
				}
				return
			default:
				t.Fatalf("%s: a field of type %s", path, w.Type())
			}
		}
		if !differ(before, after) {
			t.Errorf("a change of %s is not seen", path)
		}
		if inner != nil {
			inner()
		}
	}
	walk(reflect.ValueOf(&before).Elem(), reflect.ValueOf(&after).Elem(), reflect.TypeFor[T]().Name())
}
