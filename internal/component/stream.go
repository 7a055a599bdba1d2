package component

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/quorate/quorate/internal/agent/protocol"
	"github.com/quorate/quorate/internal/bundle"
)

// sendFiles streams files of the bundle to a host as one archive.
func sendFiles(ctx context.Context, rt *Runtime, hostName string, files []bundle.File, to func(bundle.File) string) error {
	h, err := rt.Host(hostName)
	if err != nil {
		return err
	}
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(writeArchive(pw, rt.Bundle, files, to)) }()
	_, err = h.Unpack(ctx, pr)
	// A host that went away must not leave the writer behind.
	pr.CloseWithError(context.Canceled)
	if _, refused := errors.AsType[*protocol.Error](err); refused {
		// The host may have met damage in what it unpacks before it was
		// noticed here, at the file's end: the fault is the bundle's, then.
		if damaged := checkFiles(rt.Bundle, files); damaged != nil {
			return fmt.Errorf("sending files to %s: %w", hostName, damaged)
		}
	}
	return err
}

// checkFiles reads files of the bundle to their ends, where damage shows.
func checkFiles(b *bundle.Bundle, files []bundle.File) error {
	for _, f := range files {
		r, err := b.OpenFile(f)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		r.Close()
		if err != nil {
			return fmt.Errorf("bundle %s: %w", b.Dir(), err)
		}
	}
	return nil
}

func writeArchive(w io.Writer, b *bundle.Bundle, files []bundle.File, to func(bundle.File) string) error {
	tw := tar.NewWriter(w)
	for _, f := range files {
		if err := addToArchive(tw, b, f, to(f)); err != nil {
			return err
		}
	}
	return tw.Close()
}

func addToArchive(tw *tar.Writer, b *bundle.Bundle, f bundle.File, name string) error {
	r, err := b.OpenFile(f)
	if err != nil {
		return err
	}
	defer r.Close()
	header := &tar.Header{
		Name: name, Mode: int64(f.Mode), Size: f.StoredSize, Typeflag: tar.TypeReg, Format: tar.FormatPAX,
		PAXRecords: map[string]string{protocol.PAXSHA256: f.SHA256},
	}
	if f.Compression == "zstd" {
		header.PAXRecords[protocol.PAXEncoding] = "zstd"
	}
	if err := tw.WriteHeader(header); err != nil {
		return err
	}
	if _, err := io.Copy(tw, r); err != nil {
		return fmt.Errorf("reading %s from the bundle: %w", f.Path, err)
	}
	return nil
}
