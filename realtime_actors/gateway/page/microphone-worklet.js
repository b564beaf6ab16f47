/** Runs on the audio thread: the microphone's samples, converted to `rate` Hz, as PCM16 in pieces of `samples`. */

const CROSSINGS = 16; // of the filter's sine on each side
const STEPS = 512; // table entries between two crossings

/** Streaming conversion of a sample rate by a windowed sinc; holds back CROSSINGS samples of the lower rate. */
class Resampler {
  constructor(from, to) {
    this.step = from / to;
    const cutoff = Math.min(1, to / from) * 0.94; // what is above half the lower rate would fold back
    this.half = Math.ceil(CROSSINGS / cutoff);
    this.scale = cutoff * STEPS;
    this.table = new Float32Array(CROSSINGS * STEPS + 2);
    for (let i = 0; i <= CROSSINGS * STEPS; i++) {
      const x = i / STEPS;
      const window = 0.42 + 0.5 * Math.cos((Math.PI * x) / CROSSINGS) + 0.08 * Math.cos((2 * Math.PI * x) / CROSSINGS);
      this.table[i] = cutoff * window * (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
    }
    this.history = new Float32Array(2 * this.half);
    this.position = this.half; // of the next output sample, in history
  }

  process(input) {
    const samples = new Float32Array(this.history.length + input.length);
    samples.set(this.history);
    samples.set(input, this.history.length);
    const output = [];
    while (this.position + this.half < samples.length) {
      output.push(this.at(samples, this.position));
      this.position += this.step;
    }
    const used = Math.min(samples.length, Math.max(0, Math.floor(this.position) - this.half));
    this.history = samples.slice(used);
    this.position -= used;
    return output;
  }

  at(samples, position) {
    let sum = 0;
    for (let i = Math.ceil(position - this.half); i <= position + this.half; i++) {
      const x = Math.abs(position - i) * this.scale;
      const entry = Math.floor(x);
      if (entry > CROSSINGS * STEPS) continue;
      const between = this.table[entry] + (x - entry) * (this.table[entry + 1] - this.table[entry]);
      sum += samples[i] * between;
    }
    return sum;
  }
}

class MicrophoneProcessor extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate, samples } }) {
    super();
    this.resampler = rate === sampleRate ? null : new Resampler(sampleRate, rate);
    this.view = new DataView(new ArrayBuffer(2 * samples));
    this.count = 0;
    this.energy = 0;
  }

  process([[input]]) {
    if (!input) return true; // nothing is connected (yet)
    for (const sample of this.resampler?.process(input) ?? input) {
      const limited = Math.max(-1, Math.min(1, sample));
      this.view.setInt16(2 * this.count++, Math.round(limited * 32_767), true);
      this.energy += limited * limited;
      if (2 * this.count === this.view.byteLength) this.send();
    }
    return true;
  }

  send() {
    const { buffer } = this.view;
    this.view = new DataView(new ArrayBuffer(buffer.byteLength));
    this.port.postMessage({ pcm: buffer, level: Math.sqrt(this.energy / this.count) }, [buffer]);
    this.count = this.energy = 0;
  }
}

registerProcessor("realtime-actors-microphone", MicrophoneProcessor);
