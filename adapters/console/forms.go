package console

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"cms.gov/ab2d/domain"
	web "cms.gov/ab2d/web/console"
)

// reasonFields are the fields of every form that changes something.
func reasonFields() []web.Field {
	return []web.Field{
		{Name: "reason", Label: "Reason", Kind: "area", Hint: "10 to 500 characters. It is kept in the audit log, so nothing that identifies a beneficiary."},
		{Name: "ticket", Label: "Ticket", Kind: "text", Optional: true},
	}
}

// fill puts into the fields of a form what was typed: in the request that was
// refused, or in one that came when the session was over.
func (a *ask) fill(f *web.Form) {
	typed := a.held()
	if a.Method() == fiber.MethodPost {
		typed = url.Values{}
		a.Ctx.Request().PostArgs().VisitAll(func(key, value []byte) { typed.Add(string(key), string(value)) })
	}
	if typed == nil {
		return
	}
	for i := range f.Fields {
		x := &f.Fields[i]
		if x.Kind == "checks" || x.Kind == "radios" || x.Kind == "select" {
			for j := range x.Options {
				x.Options[j].Chosen = false
				for _, v := range typed[x.Name] {
					x.Options[j].Chosen = x.Options[j].Chosen || v == x.Options[j].Value
				}
			}
		} else if typed.Has(x.Name) {
			x.Value = typed.Get(x.Name)
		}
	}
}

// refused shows a form again with what was wrong, as long as that is for the
// person to mend.
func (a *ask) refused(s web.Shell, title string, form web.Form, err error) error {
	e, _ := a.explained(a.Ctx, err)
	if e.Code == domain.Internal || e.Code == domain.NotFound || e.Code == domain.Forbidden {
		return err
	}
	a.fill(&form)
	form.Failed, form.Next = e.Message, e.Next
	a.Status(statuses[e.Code])
	return a.page(web.FormPage(s, title, form))
}

// table sends rows as a file for a spreadsheet. What it would take for a
// formula is marked as text.
func (a *ask) table(name string, rows [][]string) error {
	var b strings.Builder
	w := csv.NewWriter(&b)
	for _, row := range rows {
		for i := range row {
			row[i] = harmless(row[i])
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	a.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	a.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`.csv"`)
	return a.SendString(b.String())
}

// longestExport is how long a file may take to be sent.
const longestExport = 15 * time.Minute

// stream sends a file while it is made, however long it is. One that cannot be
// made to its end is cut off, so that nobody takes it for the whole. What makes
// it runs after the request and must not touch that.
func (a *ask) stream(name, kind string, write func(ctx context.Context, w io.Writer) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx()), longestExport)
	out, in := io.Pipe()
	over, log, asked := a.Over, a.Log, a.Path()
	go func() {
		defer cancel()
		buffer := bufio.NewWriterSize(in, 64<<10)
		err := write(ctx, buffer)
		if err == nil {
			err = buffer.Flush()
		}
		if err != nil && !errors.Is(err, io.ErrClosedPipe) { // the reader has not gone by itself
			log.ErrorContext(ctx, "a file was cut off", "path", asked, "error", err)
		}
		in.CloseWithError(err)
	}()
	go func() {
		select {
		case <-over:
			cancel()
		case <-ctx.Done():
		}
	}()
	a.Set(fiber.HeaderContentType, kind)
	a.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	a.Context().SetBodyStream(out, -1)
	return nil
}

// sheet sends rows as they come; see stream.
func (a *ask) sheet(name string, head []string, rows func(ctx context.Context, put func(...string) error) error) error {
	return a.stream(name+".csv", "text/csv; charset=utf-8", func(ctx context.Context, w io.Writer) error {
		out := csv.NewWriter(w)
		put := func(row ...string) error {
			for i := range row {
				row[i] = harmless(row[i])
			}
			return out.Write(row)
		}
		err := put(head...)
		if err == nil {
			err = rows(ctx, put)
		}
		out.Flush()
		return cmp.Or(err, out.Error())
	})
}

// plain is a table of a page as rows of a file.
func plain(t web.Table) [][]string {
	rows := [][]string{slices.Clone(t.Columns)}
	for _, row := range t.Rows {
		var cells []string
		for _, c := range row {
			text := c.Text
			if c.Badge != nil {
				text = c.Badge.Text
			} else if !c.At.IsZero() {
				text = web.UTC(c.At)
			}
			if c.Note != "" {
				text += " (" + c.Note + ")"
			}
			cells = append(cells, text)
		}
		rows = append(rows, cells)
	}
	return rows
}

func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// with returns the address of this page with a parameter changed; an empty
// value takes it out. Pages begin anew.
func (a *ask) with(path string, pairs ...string) string {
	q, err := url.ParseQuery(string(a.Ctx.Request().URI().QueryString()))
	if err != nil {
		q = url.Values{}
	}
	q.Del("done")
	for i := 0; i+1 < len(pairs); i += 2 {
		if q.Del(pairs[i]); pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	for key, values := range q {
		if len(values) == 0 || values[0] == "" {
			q.Del(key)
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func choose(options []web.Option, value string) []web.Option {
	for i := range options {
		options[i].Chosen = options[i].Value == value
	}
	return options
}
