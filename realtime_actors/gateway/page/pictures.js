/** Pictures for the model: from a file or the camera, as JPEG small enough for one message. */

const LONGEST_SIDE = 1024; // pixels: models look at no more
const MOST_BYTES = 500_000; // as base64 within the gateway's usual limit of 1 MiB for a message

const CAMERA_PROBLEMS = {
  NotAllowedError: "The camera is not allowed here. Allow it in the browser's site settings, or choose a file.",
  NotFoundError: "No camera was found. Choose a file instead.",
};

/** A file as JPEG bytes. Raises Error with words for the user. */
export async function readPicture(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch (cause) {
    throw new Error(`${file.name} is not a picture that this browser can read.`, { cause });
  }
  return encode(bitmap, bitmap.width, bitmap.height);
}

/** Show the camera in a video element. Raises Error with words for the user. */
export async function openCamera(video) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("Browsers give the camera to pages on https or localhost only. Choose a file instead.");
  }
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    throw new Error(CAMERA_PROBLEMS[error.name] ?? `The camera failed: ${error.message}`, { cause: error });
  }
}

/** What the camera sees now, as JPEG bytes. */
export async function takePicture(video) {
  if (!video.videoWidth) throw new Error("The camera shows nothing yet. Try again.");
  return encode(video, video.videoWidth, video.videoHeight);
}

async function encode(source, width, height) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // JPEG has no transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  for (const quality of [0.85, 0.6, 0.3]) {
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
    if (blob && blob.size <= MOST_BYTES) return new Uint8Array(await blob.arrayBuffer());
  }
  throw new Error("This picture is too large to be sent.");
}
