package projections

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"modernc.org/sqlite"
)

// Queries for lists name the current tables. For a moment of the past they run on
// tables of the same names and columns, derived from the row versions (see
// versions.go). So a list has one query for now and for the past.

func init() {
	// known(positions, upTo) returns the number of positions up to upTo.
	sqlite.MustRegisterDeterministicScalarFunction("known", 2,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			known, _ := knownUpTo(args)
			return known, nil
		})
	// lastknown(positions, upTo) returns the last of these, 0 if there is none.
	sqlite.MustRegisterDeterministicScalarFunction("lastknown", 2,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			_, last := knownUpTo(args)
			return last, nil
		})
	// recorded(record) returns the recorded time of a trail record, in microseconds.
	sqlite.MustRegisterDeterministicScalarFunction("recorded", 1,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			b, ok := args[0].([]byte)
			if !ok || len(b) != recordBytes {
				return nil, fmt.Errorf("no record of the trail: %v", args[0])
			}
			return parseRecord(b).time, nil
		})
}

func knownUpTo(args []driver.Value) (known, last int64) {
	varints, _ := args[0].([]byte)
	upTo, _ := args[1].(int64)
	for at := int64(0); len(varints) > 0; known++ {
		d, n := binary.Uvarint(varints)
		if at += int64(d); n <= 0 || at > upTo {
			break
		}
		last, varints = at, varints[n:]
	}
	return known, last
}

// tables returns the WITH clause that gives a query the tables at a moment, empty
// for now. The moment must be resolved.
func (at Moment) tables() string {
	if at.IsZero() {
		return ""
	}
	end := int64(math.MaxInt64)
	if !at.Day.IsZero() {
		end = versionKey(at.Day.AddDays(1), 0)
	}
	// The version that holds is the last of the latest day, see rowPast.valuesAt.
	known := fmt.Sprintf("at < %d AND at & %d <= %d", end, int64(1)<<positionBits-1, int64(at.Position))
	last := func(k versionedTable) string {
		return fmt.Sprintf("SELECT at FROM %s WHERE n = streams.n AND %s ORDER BY at DESC LIMIT 1", k.versionsTable(),
			known)
	}
	var b strings.Builder
	for i, k := range versioned {
		b.WriteString([]string{"WITH ", ", "}[min(i, 1)])
		columns, keys := strings.Join(append(k.keys[:len(k.keys):len(k.keys)], k.columns...), ", "),
			strings.Join(k.keys, ", ")
		if k.single { // one look-up per stream, in this order
			fmt.Fprintf(&b,
				"%s AS NOT MATERIALIZED (SELECT v.%s FROM main.streams CROSS JOIN %s v ON v.n = streams.n AND v.at = (%s) WHERE NOT gone)",
				k.table, strings.ReplaceAll(columns, ", ", ", v."), k.versionsTable(), last(k))
			continue
		}
		// SQLite takes the other columns from the row with the maximum.
		fmt.Fprintf(&b,
			"%s AS NOT MATERIALIZED (SELECT %s FROM (SELECT %s, gone, max(at) FROM %s WHERE %s GROUP BY %s) WHERE NOT gone)",
			k.table, columns, columns, k.versionsTable(), known, keys)
	}
	fmt.Fprintf(&b, `, streams AS NOT MATERIALIZED (SELECT n, kind, id, known(positions, %[1]d) AS events, created,
		(SELECT recorded(substr(records, (last - 1) %% %[2]d * %[3]d + 1, %[3]d)) FROM trail WHERE block = (last - 1) / %[2]d) AS updated
		FROM (SELECT *, lastknown(positions, %[1]d) AS last FROM main.streams))`, int64(at.Position), blockEvents, recordBytes)
	b.WriteString(`, documents AS NOT MATERIALIZED (SELECT streams.n, coalesce(`)
	for i, k := range versioned {
		if k.table == "labs" || k.table == "entities" {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "(SELECT summary FROM %s WHERE n = streams.n AND at = (%s))", k.versionsTable(), last(k))
		}
	}
	b.WriteString(") AS document FROM main.streams) ")
	return b.String()
}
