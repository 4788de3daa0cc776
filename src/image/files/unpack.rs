//! A layer's bytes, decompressed as they are read: gzip (eStargz is that, too), zstd (zstd:chunked, too), or none.
//!
//! What a layer is compressed with is told by its first bytes, as container engines do: media types are often wrong.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::BlockDecodingStrategy;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

use super::{MAX_LAYER_BYTES, MAX_RATIO, MIN_RATIO_BYTES};
use crate::error::{Error, Kind};
use crate::text::bytes;

/// Buffer before the decoder.
const BUFFER_BYTES: usize = 64 << 10;
/// Largest window of a zstd frame, which is what a decoder keeps in memory (`zstd --ultra -22` has it).
const MAX_WINDOW_BYTES: u64 = 128 << 20;

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 8878, any number of frames.
    Zstd,
}

impl Compression {
    /// By the first bytes of a file.
    pub fn of(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A frame to be skipped comes first in what pzstd writes.
            [magic, 0x2a, 0x4d, 0x18, ..] if (0x50..=0x5f).contains(magic) => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// A stream of decompressed bytes. Fails with an [`Error`] inside once a limit is exceeded.
pub struct Unpacked<R: Read> {
    decoder: Decoder<R>,
    /// Bytes that came out.
    out: u64,
    /// Most bytes that may.
    limit: Limit,
}

#[derive(Debug, Clone, Copy)]
struct Limit {
    bytes: u64,
    ratio: u64,
    min_ratio_bytes: u64,
}

enum Decoder<R: Read> {
    None(Counted<R>),
    Gzip(Box<MultiGzDecoder<Counted<R>>>),
    Zstd(Box<Frames<R>>),
}

impl<R: Read> Unpacked<R> {
    /// Decompresses what `reader` gives.
    pub fn new(reader: R) -> io::Result<Self> {
        let limit = Limit { bytes: MAX_LAYER_BYTES, ratio: MAX_RATIO, min_ratio_bytes: MIN_RATIO_BYTES };
        Self::within(reader, limit)
    }

    fn within(reader: R, limit: Limit) -> io::Result<Self> {
        let mut counted = Counted { reader: BufReader::with_capacity(BUFFER_BYTES, reader), read: 0 };
        let decoder = match Compression::of(counted.fill_buf()?) {
            Compression::None => Decoder::None(counted),
            Compression::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(counted))),
            Compression::Zstd => {
                let mut decoder = FrameDecoder::new();
                decoder.set_max_window_size(MAX_WINDOW_BYTES);
                Decoder::Zstd(Box::new(Frames { reader: counted, decoder, within: false }))
            }
        };
        Ok(Self { decoder, out: 0, limit })
    }

    fn read_in(&self) -> u64 {
        match &self.decoder {
            Decoder::None(counted) => counted.read,
            Decoder::Gzip(decoder) => decoder.get_ref().read,
            Decoder::Zstd(frames) => frames.reader.read,
        }
    }

    fn check(&self) -> io::Result<()> {
        let Limit { bytes: most, ratio, min_ratio_bytes } = self.limit;
        let refuse = |why| Err(io::Error::other(Error::new(Kind::Usage, why)));
        if self.out > most {
            return refuse(format!("it has more than {} once it is decompressed", bytes(most)));
        }
        if self.out > min_ratio_bytes && self.out / ratio > self.read_in() {
            return refuse(format!("more than {ratio} bytes come of each compressed one"));
        }
        Ok(())
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.decoder {
            Decoder::None(counted) => counted.read(buffer)?,
            Decoder::Gzip(decoder) => decoder.read(buffer)?,
            Decoder::Zstd(frames) => frames.read(buffer)?,
        };
        self.out += read as u64;
        self.check()?;
        Ok(read)
    }
}

/// Counts what is taken out of its buffer.
struct Counted<R> {
    reader: BufReader<R>,
    read: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

impl<R: Read> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.read += amount as u64;
        self.reader.consume(amount);
    }
}

/// The frames of a zstd stream, one after the other.
struct Frames<R: Read> {
    reader: Counted<R>,
    decoder: FrameDecoder,
    /// A frame has begun.
    within: bool,
}

impl<R: Read> Frames<R> {
    /// Begins the next frame; whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.reader.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.reader) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut (&mut self.reader).take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.within {
                if !self.begin()? {
                    return Ok(0);
                }
                self.within = true;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.reader, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            // The frame is over.
            self.within = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn unpacked(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Unpacked::new(bytes)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn members_and_frames_follow_one_another() {
        let text = b"what a layer holds ".repeat(5000);
        let rest = b"and the rest".to_vec();
        let whole = [text.clone(), rest.clone()].concat();
        assert_eq!(unpacked(&whole).unwrap(), whole);
        assert_eq!(unpacked(&[gzip(&text), gzip(&rest)].concat()).unwrap(), whole);
        // zstd:chunked has a table of contents in a frame that is skipped.
        let skipped = [&[0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"toc"].concat();
        let frames = [skipped.clone(), zstd(&text), skipped.clone(), zstd(b""), zstd(&rest), skipped].concat();
        assert_eq!(unpacked(&frames).unwrap(), whole);
        assert!(unpacked(b"").unwrap().is_empty());
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_no_end() {
        let text = b"what a layer holds ".repeat(5000);
        for packed in [gzip(&text), zstd(&text)] {
            assert!(unpacked(&packed[..packed.len() / 2]).is_err());
        }
        let cut_skip = [0x5e, 0x2a, 0x4d, 0x18, 9, 0, 0, 0, 1];
        assert!(unpacked(&cut_skip).is_err());
    }

    #[test]
    fn a_bomb_is_stopped_by_its_size_and_by_its_ratio() {
        let zeros = vec![0; 4 << 20];
        let limits = [
            (
                Limit { bytes: 1 << 20, ratio: u64::MAX, min_ratio_bytes: 0 },
                "it has more than 1.0 MiB once it is decompressed",
            ),
            (
                Limit { bytes: 8 << 20, ratio: 100, min_ratio_bytes: 1 << 20 },
                "more than 100 bytes come of each compressed one",
            ),
        ];
        for packed in [gzip(&zeros), zstd(&zeros)] {
            for (limit, words) in limits {
                let mut reader = Unpacked::within(packed.as_slice(), limit).unwrap();
                let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
                assert_eq!(error.downcast::<Error>().unwrap().to_string(), words);
            }
            let limit = Limit { bytes: 8 << 20, ratio: 100, min_ratio_bytes: 4 << 20 };
            assert_eq!(
                io::copy(&mut Unpacked::within(packed.as_slice(), limit).unwrap(), &mut io::sink()).unwrap(),
                4 << 20
            );
        }
    }
}
