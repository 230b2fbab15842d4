// Players of the live streams for the browser tests. Each notes what it shows as small grey copies of the picture's upper left
// corner, where the test films have their frame number. Loaded by the test into a page of the server's own origin.
(() => {
  const CORNER = { x: 16, y: 16, width: 176, height: 72 };  // pixels of a film of 640×360
  const socketURL = (path) => location.origin.replace(/^http/, "ws") + path;

  const corner = (canvas, source, width, height) => {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    canvas.width = CORNER.width / 2;
    canvas.height = CORNER.height / 2;
    const scale = width / 640;
    context.drawImage(source, CORNER.x * scale, CORNER.y * scale, CORNER.width * scale, CORNER.height * scale, 0, 0, canvas.width, canvas.height);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let text = "";
    for (let at = 0; at < pixels.length; at += 4) text += String.fromCharCode(pixels[at + 1]);
    return btoa(text);
  };

  const player = (start) => {
    const state = { corners: [], infos: [], messages: [], errors: [], closed: null, started: performance.now(), first: null };
    state.show = (source, width, height) => {
      if (state.first === null) state.first = performance.now() - state.started;
      state.corners.push(corner(state.canvas, source, width, height));
    };
    state.canvas = document.createElement("canvas");
    start(state);
    window.player = state;
  };

  // Annex B straight into a decoder.
  window.watchFrames = (path) => player((state) => {
    const decoder = new VideoDecoder({
      output: (frame) => {
        state.show(frame, frame.displayWidth, frame.displayHeight);
        frame.close();
      },
      error: (problem) => state.errors.push(String(problem)),
    });
    const socket = (state.socket = new WebSocket(socketURL(path)));
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      const view = new DataView(data);
      const kind = view.getUint8(0), key = view.getUint8(1) === 1, seconds = view.getFloat64(2, true);
      if (kind === 2) {
        const json = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 10)));
        state.messages.push(json);
        if (json.type === "info") {
          state.infos.push(json);
          decoder.configure({ codec: json.codec, optimizeForLatency: true });
        }
      } else if (kind === 0) {
        decoder.decode(new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp: Math.round(seconds * 1e6), data: new Uint8Array(data, 10) }));
      }
    };
    socket.onclose = (event) => (state.closed = event.code);
  });

  // Fragmented MP4 into a video element.
  window.watchFragments = (path) => player((state) => {
    const video = (state.video = document.createElement("video"));
    video.muted = true;
    document.body.append(video);
    const source = new MediaSource();
    video.src = URL.createObjectURL(source);
    const waiting = [];
    let buffer = null;
    const feed = () => {
      if (!buffer || buffer.updating || waiting.length === 0) return;
      const next = waiting.shift();
      try {
        if (typeof next === "string") {
          buffer.changeType(next);
          feed();
        } else {
          buffer.appendBuffer(next);
        }
      } catch (problem) {
        state.errors.push(String(problem));
      }
    };
    const follow = () => {
      const ranges = video.buffered;
      if (ranges.length === 0) return;
      const start = ranges.start(ranges.length - 1), end = ranges.end(ranges.length - 1);
      if (video.currentTime < start || video.currentTime > end) video.currentTime = start;
      if (video.paused) video.play().catch((problem) => state.errors.push(String(problem)));
    };
    const present = () => {
      state.show(video, video.videoWidth, video.videoHeight);
      video.requestVideoFrameCallback(present);
    };
    video.requestVideoFrameCallback(present);
    video.onerror = () => state.errors.push(video.error && video.error.message);
    source.onsourceopen = () => {
      const socket = (state.socket = new WebSocket(socketURL(path)));
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => {
        if (typeof data === "string") {
          const json = JSON.parse(data);
          state.messages.push(json);
          if (json.type !== "info") return;
          state.infos.push(json);
          if (!buffer) {
            buffer = source.addSourceBuffer(json.mime_type);
            buffer.onupdateend = () => { follow(); feed(); };
            buffer.onerror = () => state.errors.push("the source buffer refused a segment");
          } else {
            waiting.push(json.mime_type);
          }
        } else {
          waiting.push(data);
        }
        feed();
      };
      socket.onclose = (event) => (state.closed = event.code);
    };
  });

  // A playlist that the browser plays by itself. `from`: seconds into it.
  window.watchPlaylist = (path, from) => player((state) => {
    const video = (state.video = document.createElement("video"));
    video.muted = true;
    video.src = path;
    document.body.append(video);
    state.times = [];
    const present = (_, frame) => {
      state.times.push(frame.mediaTime);
      state.show(video, video.videoWidth, video.videoHeight);
      video.requestVideoFrameCallback(present);
    };
    video.onerror = () => state.errors.push(video.error && video.error.message);
    video.onloadedmetadata = () => {
      if (from) video.currentTime = from;
      video.requestVideoFrameCallback(present);
      video.play().catch((problem) => state.errors.push(String(problem)));
    };
  });

  // An ordinary image.
  window.watchPictures = (path) => player((state) => {
    const image = new Image();
    image.src = path;
    image.onerror = () => state.errors.push("the image broke off");
    document.body.append(image);
    state.timer = setInterval(() => {
      if (image.naturalWidth > 0) state.show(image, image.naturalWidth, image.naturalHeight);
    }, 50);
  });
})();
